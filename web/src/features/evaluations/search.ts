/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

export type RubricListSearch = { open?: "new" | "generate" };

export function rubricListSearch(raw: Raw): RubricListSearch {
  return { open: choiceParam(raw, "open", ["new", "generate"] as const) };
}

export const RUBRIC_TABS = ["definition", "versions", "online", "calibration"] as const;
export type RubricTab = (typeof RUBRIC_TABS)[number];

export type RubricDetailSearch = {
  tab?: RubricTab;
  /** The versions whose difference is shown. */
  from?: number;
  to?: number;
  /** The judge that is calibrated. */
  dimension?: string;
  online?: string;
  open?: "label" | "online" | "delete";
};

export function rubricDetailSearch(raw: Raw): RubricDetailSearch {
  return {
    tab: choiceParam(raw, "tab", RUBRIC_TABS),
    from: countParam(raw, "from", 1),
    to: countParam(raw, "to", 1),
    dimension: textParam(raw, "dimension"),
    online: textParam(raw, "online"),
    open: choiceParam(raw, "open", ["label", "online", "delete"] as const),
  };
}

export type ObjectiveListSearch = { open?: "new" };

export function objectiveListSearch(raw: Raw): ObjectiveListSearch {
  return { open: choiceParam(raw, "open", ["new"] as const) };
}

export type ObjectiveDetailSearch = {
  /** The experiment whose measured pairs the objective is applied to, and the place of the arm in it. */
  experiment?: string;
  arm?: number;
  open?: "delete";
};

export function objectiveDetailSearch(raw: Raw): ObjectiveDetailSearch {
  return {
    experiment: textParam(raw, "experiment"),
    arm: countParam(raw, "arm", 1),
    open: choiceParam(raw, "open", ["delete"] as const),
  };
}
