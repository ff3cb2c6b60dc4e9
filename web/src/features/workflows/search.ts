/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

export type WorkflowListSearch = { q?: string };

export function workflowListSearch(raw: Raw): WorkflowListSearch {
  return { q: textParam(raw, "q") };
}

/** example: the built-in one to begin with. */
export type NewWorkflowSearch = { example?: string };

export function newWorkflowSearch(raw: Raw): NewWorkflowSearch {
  return { example: textParam(raw, "example") };
}

export const WORKFLOW_TABS = ["definition", "runs", "versions"] as const;

export type WorkflowTab = (typeof WORKFLOW_TABS)[number];

/** version: the one that is read; left out, the latest. against: the one it is compared with. */
export type WorkflowDetailSearch = { tab?: WorkflowTab; version?: number; against?: number; node?: string };

export function workflowDetailSearch(raw: Raw): WorkflowDetailSearch {
  return {
    tab: choiceParam(raw, "tab", WORKFLOW_TABS),
    version: countParam(raw, "version", 1),
    against: countParam(raw, "against", 1),
    node: textParam(raw, "node"),
  };
}
