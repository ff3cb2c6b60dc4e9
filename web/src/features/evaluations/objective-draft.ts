import type { Schemas } from "@/api/client";
import { weightOf } from "./weights";

export type Objective = Schemas["ObjectiveOut"];
export type Term = Objective["terms"][number];
export type Guard = Objective["guards"][number];
export type Source = Term["source"];

export interface TermDraft {
  source: Source;
  weight: string;
  /** What is worth one half: milliseconds of latency, US dollars of cost. */
  scale: string;
}

export interface GuardDraft {
  key: number;
  kind: Guard["kind"];
  /** What may be lost; its unit is the kind's. */
  bound: string;
  statistic: "p95" | "mean";
  dimension: string;
  /** Of a dimension: at least a mean, or at most a drop. */
  form: "minimum" | "max_drop";
}

export interface ObjectiveDraft {
  name: string;
  description: string;
  rubricId: string;
  terms: TermDraft[];
  guards: GuardDraft[];
  /** In points. */
  minimumEffect: string;
}

export const SOURCES: readonly Source[] = ["rubric", "cost", "latency", "feedback"];

export const EMPTY_OBJECTIVE: ObjectiveDraft = {
  name: "",
  description: "",
  rubricId: "",
  terms: [{ source: "rubric", weight: "1", scale: "" }],
  guards: [],
  minimumEffect: "1",
};

let lastKey = 0;

export function guardDraft(kind: Guard["kind"]): GuardDraft {
  lastKey += 1;
  const bound = { latency: "10", cost: "20", error_rate: "1", dimension: "2" }[kind];
  return { key: lastKey, kind, bound, statistic: "p95", dimension: "", form: "max_drop" };
}

/** Shares as people say them; twelve digits hide what decimals do to each other. */
function percent(share: number): string {
  return String(Number((share * 100).toPrecision(12)));
}

function share(text: string): number {
  return Number((Number(text) / 100).toPrecision(12));
}

function termDraft(term: Term): TermDraft {
  const scale = term.source === "cost" ? String(term.scale_usd) : term.source === "latency" ? String(term.scale_ms) : "";
  return { source: term.source, weight: String(term.weight ?? 1), scale };
}

function draftOfGuard(guard: Guard): GuardDraft {
  const draft = guardDraft(guard.kind);
  switch (guard.kind) {
    case "latency":
      return { ...draft, bound: percent((guard.max_ratio ?? 1.1) - 1), statistic: guard.statistic ?? "p95" };
    case "cost":
      return { ...draft, bound: percent((guard.max_ratio ?? 1.2) - 1) };
    case "error_rate":
      return { ...draft, bound: percent(guard.max_increase ?? 0.01) };
    case "dimension": {
      const form = guard.minimum !== null && guard.minimum !== undefined ? "minimum" : "max_drop";
      return { ...draft, dimension: guard.dimension, form, bound: percent(guard[form] ?? 0) };
    }
  }
}

export function draftOfObjective(objective: Objective): ObjectiveDraft {
  return {
    name: objective.name,
    description: objective.description ?? "",
    rubricId: objective.rubric_id ?? "",
    terms: objective.terms.map(termDraft),
    guards: objective.guards.map(draftOfGuard),
    minimumEffect: percent(objective.minimum_effect),
  };
}

export function objectiveProblems(draft: ObjectiveDraft): string[] {
  const number = (text: string, least: number) => text.trim() !== "" && Number.isFinite(Number(text)) && Number(text) >= least;
  return [
    ...(draft.name.trim() === "" ? ["An objective needs a name"] : []),
    ...(draft.terms.length === 0 ? ["An objective needs a term"] : []),
    ...draft.terms.flatMap(({ source, weight, scale }) => [
      ...(weightOf(weight) === null ? [`The weight of ${source} must be above 0`] : []),
      ...((source === "cost" || source === "latency") && !(Number(scale) > 0) ? [`Say what ${source} is worth one half`] : []),
    ]),
    ...draft.guards.flatMap((guard) => [
      // A ratio below 1 asks for a gain: −5 means at most 0.95 times.
      ...(number(guard.bound, guard.kind === "latency" || guard.kind === "cost" ? -99 : 0) ? [] : [`The bound of the guard on ${guard.kind.replace("_", " ")} is no number that it can be`]),
      ...(guard.kind === "dimension" && guard.dimension.trim() === "" ? ["Name the dimension of its guard"] : []),
    ]),
    ...(number(draft.minimumEffect, 0) ? [] : ["The minimum effect is 0 or more"]),
  ];
}

function termOf({ source, weight, scale }: TermDraft): Term {
  const counted = weightOf(weight) ?? 1;
  switch (source) {
    case "cost":
      return { source, weight: counted, scale_usd: scale.trim() };
    case "latency":
      return { source, weight: counted, scale_ms: Number(scale) };
    default:
      return { source, weight: counted };
  }
}

function guardOf({ kind, bound, statistic, dimension, form }: GuardDraft): Guard {
  switch (kind) {
    case "latency":
      return { kind, statistic, max_ratio: 1 + share(bound) };
    case "cost":
      return { kind, max_ratio: 1 + share(bound) };
    case "error_rate":
      return { kind, max_increase: share(bound) };
    case "dimension":
      return { kind, dimension: dimension.trim(), minimum: null, max_drop: null, [form]: share(bound) };
  }
}

/** What is sent; only of a draft without problems. */
export function objectiveBody(draft: ObjectiveDraft): Schemas["ObjectiveIn"] {
  return {
    name: draft.name.trim(),
    description: draft.description.trim() || null,
    rubric_id: draft.rubricId || null,
    terms: draft.terms.map(termOf),
    guards: draft.guards.map(guardOf),
    minimum_effect: share(draft.minimumEffect),
  };
}

/** "p95 latency at most 10 % above". */
export function guardText(guard: Guard): string {
  switch (guard.kind) {
    case "latency":
      return `${guard.statistic ?? "p95"} latency at most ${percent((guard.max_ratio ?? 1.1) - 1)} % above`;
    case "cost":
      return `mean cost at most ${percent((guard.max_ratio ?? 1.2) - 1)} % above`;
    case "error_rate":
      return `errors at most ${percent(guard.max_increase ?? 0.01)} points more`;
    case "dimension":
      return guard.minimum !== null && guard.minimum !== undefined
        ? `${guard.dimension} at least ${percent(guard.minimum)} %`
        : `${guard.dimension} at most ${percent(guard.max_drop ?? 0)} points lower`;
  }
}
