/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, flagParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

const AGENT_STATUSES = ["managed", "observed"] as const;
const AGENT_SORTS = ["-created_at", "created_at", "name", "-name"] as const;

export type AgentListSearch = {
  status?: (typeof AGENT_STATUSES)[number];
  archived?: true;
  sort?: (typeof AGENT_SORTS)[number];
  offset?: number;
  /** The dialog that creates one is open. */
  create?: true;
};

export function agentListSearch(raw: Raw): AgentListSearch {
  return {
    status: choiceParam(raw, "status", AGENT_STATUSES),
    archived: flagParam(raw, "archived"),
    sort: choiceParam(raw, "sort", AGENT_SORTS),
    offset: countParam(raw, "offset", 1),
    create: flagParam(raw, "create"),
  };
}

export const AGENT_TABS = ["versions", "edit", "templates", "playground", "runtime", "search-space"] as const;
const DIFF_LAYOUTS = ["split", "unified"] as const;

export type AgentTab = (typeof AGENT_TABS)[number];

export type AgentDetailSearch = {
  tab?: AgentTab;
  /** The config version that is read, edited or described. */
  version?: number;
  /** Two versions to compare; with `a` alone the first of them is chosen. */
  a?: number;
  b?: number;
  layout?: (typeof DIFF_LAYOUTS)[number];
  /** A template, one of its versions, and the version to compare that with. */
  template?: string;
  tversion?: number;
  tbase?: number;
  /** What the playground runs on its left and right: a version, an environment, or a draft. */
  left?: string;
  right?: string;
  /** An earlier run of the playground. */
  run?: string;
  offset?: number;
};

export function agentDetailSearch(raw: Raw): AgentDetailSearch {
  return {
    tab: choiceParam(raw, "tab", AGENT_TABS),
    version: countParam(raw, "version", 1),
    a: countParam(raw, "a", 1),
    b: countParam(raw, "b", 1),
    layout: choiceParam(raw, "layout", DIFF_LAYOUTS),
    template: textParam(raw, "template"),
    tversion: countParam(raw, "tversion", 1),
    tbase: countParam(raw, "tbase", 1),
    left: textParam(raw, "left"),
    right: textParam(raw, "right"),
    run: textParam(raw, "run"),
    offset: countParam(raw, "offset", 1),
  };
}
