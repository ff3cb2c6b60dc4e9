/** What the addresses of these pages may say after the `?`. */

import type { Schemas } from "@/api/client";
import { choiceParam, countParam, listParam, textParam } from "@/components/search-params";

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

/** parent: the name or id of a run whose children are shown. */
export type RunListSearch = { status?: Schemas["RunStatus"]; workflow?: string; since?: RunPeriod; sort?: "created_at"; parent?: string };

export function runListSearch(raw: Raw): RunListSearch {
  return {
    status: choiceParam(raw, "status", RUN_STATUSES),
    workflow: textParam(raw, "workflow"),
    since: choiceParam(raw, "since", ["1h", "24h", "7d", "30d"]),
    sort: choiceParam(raw, "sort", ["created_at"]),
    parent: textParam(raw, "parent"),
  };
}

export const RUN_TABS = ["steps", "events", "logs", "state", "checkpoints", "signals"] as const;

export type RunTab = (typeof RUN_TABS)[number];

export const EVENT_KINDS = ["run", "step", "question", "signal", "log", "token", "other"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * step: the step whose panel is open, by its key, with `@2` for its second iteration. node: the steps of this node of the graph only.
 * generation: an earlier one; left out, the latest. kinds, find: of events. levels: of the log. checkpoint: the one whose state is open.
 */
export type RunDetailSearch = {
  tab?: RunTab;
  step?: string;
  node?: string;
  generation?: number;
  kinds?: EventKind[];
  levels?: LogLevel[];
  find?: string;
  checkpoint?: number;
};

export function runDetailSearch(raw: Raw): RunDetailSearch {
  return {
    tab: choiceParam(raw, "tab", RUN_TABS),
    step: textParam(raw, "step"),
    node: textParam(raw, "node"),
    generation: countParam(raw, "generation", 1),
    kinds: chosen(listParam(raw, "kinds"), EVENT_KINDS),
    levels: chosen(listParam(raw, "levels"), LOG_LEVELS),
    find: textParam(raw, "find"),
    checkpoint: countParam(raw, "checkpoint"),
  };
}

function chosen<T extends string>(values: readonly string[] | undefined, choices: readonly T[]): T[] | undefined {
  const fitting = choices.filter((choice) => values?.includes(choice));
  return fitting.length > 0 ? fitting : undefined;
}

export const QUESTION_STATES = ["pending", "approved", "rejected", "answered", "expired", "cancelled"] as const;

export type QuestionListSearch = { status?: (typeof QUESTION_STATES)[number]; open?: string };

export function questionListSearch(raw: Raw): QuestionListSearch {
  return { status: choiceParam(raw, "status", QUESTION_STATES), open: textParam(raw, "open") };
}
