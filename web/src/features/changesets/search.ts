/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, textParam } from "@/components/search-params";
import { CHANGESET_STATES, type ChangesetState } from "./changeset-states";

type Raw = Record<string, unknown>;

export const LIST_VIEWS = ["review", "live", "closed", "all"] as const;
export type ListView = (typeof LIST_VIEWS)[number];

/** state: only for the view of all. */
export type ChangesetListSearch = { view?: ListView; agent?: string; state?: ChangesetState; offset?: number };

export function changesetListSearch(raw: Raw): ChangesetListSearch {
  return {
    view: choiceParam(raw, "view", LIST_VIEWS),
    agent: textParam(raw, "agent"),
    state: choiceParam(raw, "state", CHANGESET_STATES),
    offset: countParam(raw, "offset", 1),
  };
}

export const SECTIONS = ["decision", "changes", "why", "failures", "holdout", "promotion", "history"] as const;
export type Section = (typeof SECTIONS)[number];

const DIFF_LAYOUTS = ["split", "unified"] as const;
export type DiffLayout = (typeof DIFF_LAYOUTS)[number];

/** cluster: whose failures are open. layout: of the configurations' difference. */
export type ChangesetDetailSearch = { section?: Section; cluster?: string; layout?: DiffLayout };

export function changesetDetailSearch(raw: Raw): ChangesetDetailSearch {
  return {
    section: choiceParam(raw, "section", SECTIONS),
    cluster: textParam(raw, "cluster"),
    layout: choiceParam(raw, "layout", DIFF_LAYOUTS),
  };
}
