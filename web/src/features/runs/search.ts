/** What the addresses of these pages may say after the `?`. */

import type { Schemas } from "@/api/client";
import { choiceParam, countParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

export const RUN_STATUSES = [
  "queued",
  "running",
  "waiting",
  "pausing",
  "paused",
  "interrupted",
  "awaiting_input",
  "succeeded",
  "failed",
  "cancelled",
] as const satisfies readonly Schemas["RunStatus"][];

export const RUN_PERIODS = [
  { value: "1h", label: "Last hour", hours: 1 },
  { value: "24h", label: "Last 24 hours", hours: 24 },
  { value: "7d", label: "Last 7 days", hours: 168 },
  { value: "30d", label: "Last 30 days", hours: 720 },
] as const;

export type RunPeriod = (typeof RUN_PERIODS)[number]["value"];

export type RunListSearch = { status?: Schemas["RunStatus"]; workflow?: string; since?: RunPeriod; sort?: "created_at" };

export function runListSearch(raw: Raw): RunListSearch {
  return {
    status: choiceParam(raw, "status", RUN_STATUSES),
    workflow: textParam(raw, "workflow"),
    since: choiceParam(raw, "since", ["1h", "24h", "7d", "30d"]),
    sort: choiceParam(raw, "sort", ["created_at"]),
  };
}

export const RUN_TABS = ["steps", "events", "logs", "state", "checkpoints", "signals"] as const;

export type RunTab = (typeof RUN_TABS)[number];

/** step: the step whose panel is open, by its position. generation: an earlier one; left out, the latest. */
export type RunDetailSearch = { tab?: RunTab; step?: string; generation?: number };

export function runDetailSearch(raw: Raw): RunDetailSearch {
  return {
    tab: choiceParam(raw, "tab", RUN_TABS),
    step: textParam(raw, "step"),
    generation: countParam(raw, "generation", 1),
  };
}

export const QUESTION_STATES = ["pending", "approved", "rejected", "answered", "expired", "cancelled"] as const;

export type QuestionListSearch = { status?: (typeof QUESTION_STATES)[number]; open?: string };

export function questionListSearch(raw: Raw): QuestionListSearch {
  return { status: choiceParam(raw, "status", QUESTION_STATES), open: textParam(raw, "open") };
}
