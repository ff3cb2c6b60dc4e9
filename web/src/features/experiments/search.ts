/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, flagParam, listParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

/** More are hard to tell apart in one table. */
export const MOST_COMPARED = 4;

export type ExperimentListSearch = {
  agent?: string;
  scan?: string;
  offset?: number;
  /** What is chosen to be compared. */
  ids?: string[];
  compare?: true;
};

export function experimentListSearch(raw: Raw): ExperimentListSearch {
  const ids = listParam(raw, "ids")?.flatMap((one) => one.split(",")).filter(Boolean);
  return {
    agent: textParam(raw, "agent"),
    scan: textParam(raw, "scan"),
    offset: countParam(raw, "offset"),
    ids: ids?.slice(0, MOST_COMPARED),
    compare: flagParam(raw, "compare"),
  };
}

export type NewExperimentSearch = { agent?: string; set?: string; rubric?: string; objective?: string; versions?: number[] };

export function newExperimentSearch(raw: Raw): NewExperimentSearch {
  const versions = listParam(raw, "versions")?.map(Number).filter(Number.isInteger);
  return {
    agent: textParam(raw, "agent"),
    set: textParam(raw, "set"),
    rubric: textParam(raw, "rubric"),
    objective: textParam(raw, "objective"),
    versions: versions?.length ? versions : undefined,
  };
}

export const SHOWN = ["all", "regressed", "improved", "changed", "missing"] as const;
export type Shown = (typeof SHOWN)[number];

export type ExperimentDetailSearch = {
  show?: Shown;
  /** The place of the arm that the filter looks at; every arm when left out. */
  arm?: number;
  sort?: string;
  item?: string;
  diff?: "off";
};

export function experimentDetailSearch(raw: Raw): ExperimentDetailSearch {
  return {
    show: choiceParam(raw, "show", SHOWN),
    arm: countParam(raw, "arm", 1),
    sort: textParam(raw, "sort"),
    item: textParam(raw, "item"),
    diff: choiceParam(raw, "diff", ["off"] as const),
  };
}
