/** What the addresses of these pages may say after the `?`. */

type Raw = Record<string, unknown>;

export type WorkflowListSearch = Record<never, never>;

export function workflowListSearch(_raw: Raw): WorkflowListSearch {
  return {};
}

export type NewWorkflowSearch = Record<never, never>;

export function newWorkflowSearch(_raw: Raw): NewWorkflowSearch {
  return {};
}

export type WorkflowDetailSearch = Record<never, never>;

export function workflowDetailSearch(_raw: Raw): WorkflowDetailSearch {
  return {};
}
