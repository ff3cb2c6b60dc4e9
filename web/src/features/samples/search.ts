/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, flagParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

export type SampleSetListSearch = { new?: true };

export function sampleSetListSearch(raw: Raw): SampleSetListSearch {
  return { new: flagParam(raw, "new") };
}

export const SPLITS = ["reflect", "select", "holdout"] as const;
export type Split = (typeof SPLITS)[number];

const TABS = ["items", "holdout", "ci"] as const;
export type SampleSetTab = (typeof TABS)[number];

const PANELS = ["add", "import", "freeze", "rename", "delete"] as const;

export type SampleSetDetailSearch = {
  tab?: SampleSetTab;
  split?: Split;
  /** Only what belongs to a frozen holdout, or only what does not. */
  frozen?: "yes" | "no";
  item?: string;
  /** Where the open item stands in the list. */
  at?: number;
  open?: (typeof PANELS)[number];
};

export function sampleSetDetailSearch(raw: Raw): SampleSetDetailSearch {
  return {
    tab: choiceParam(raw, "tab", TABS),
    split: choiceParam(raw, "split", SPLITS),
    frozen: choiceParam(raw, "frozen", ["yes", "no"] as const),
    item: textParam(raw, "item"),
    at: countParam(raw, "at"),
    open: choiceParam(raw, "open", PANELS),
  };
}
