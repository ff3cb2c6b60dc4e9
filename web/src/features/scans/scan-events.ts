import type { Schemas } from "@/api/client";
import { type ScanOutcome, type ScanPhase, type ScanStatus } from "./scan-words";

export type ScanEvent = Schemas["spectral__domains__scans__schemas__EventOut"];

/** How the log is filtered. */
export const EVENT_KINDS = ["lifecycle", "phase", "failure", "candidate", "decision", "warning"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export type PhaseTimes = { startedAt: string; finishedAt: string | null };

export type Comparison = {
  n: number;
  effect: number;
  low: number;
  high: number;
  pAdjusted: number | null;
  wins: number;
  losses: number;
  accuracy: number | null;
  beats: boolean;
};

export type LiveCandidate = {
  ordinal: number;
  strategy: string;
  rationale: string;
  pointers: readonly string[];
  flags: readonly string[];
  proposedAt: string;
  comparison: Comparison | null;
  selected: boolean;
};

/** What the events say about a scan, so far. Never changed in place. */
export type ScanState = {
  events: readonly ScanEvent[];
  /** The last of an unbroken row: `seq` counts from 1 without gaps. */
  lastSeq: number;
  /** What came before one that is still missing. */
  ahead: ReadonlyMap<number, ScanEvent>;
  status: ScanStatus | null;
  outcome: ScanOutcome | null;
  phases: ReadonlyMap<ScanPhase, PhaseTimes>;
  candidates: ReadonlyMap<number, LiveCandidate>;
  clusters: number;
  warnings: number;
};

export const NOTHING_YET: ScanState = {
  events: [],
  lastSeq: 0,
  ahead: new Map(),
  status: null,
  outcome: null,
  phases: new Map(),
  candidates: new Map(),
  clusters: 0,
  warnings: 0,
};

/** Events in any order, any number of times. The same state comes back where nothing is new. */
export function withEvents(state: ScanState, batch: readonly ScanEvent[]): ScanState {
  const fresh = batch.filter((event) => event.seq > state.lastSeq && !state.ahead.has(event.seq));
  if (fresh.length === 0) return state;
  const ahead = new Map(state.ahead);
  for (const event of fresh) ahead.set(event.seq, event);
  const next: Draft = {
    ...state,
    events: [...state.events],
    phases: new Map(state.phases),
    candidates: new Map(state.candidates),
  };
  for (let event = ahead.get(next.lastSeq + 1); event !== undefined; event = ahead.get(next.lastSeq + 1)) {
    ahead.delete(event.seq);
    next.lastSeq = event.seq;
    next.events.push(event);
    take(next, event);
  }
  return { ...next, ahead };
}

/** The numbers that are missing before what has come already; null where nothing is. */
export function gapOf(state: ScanState): { after: number; before: number } | null {
  if (state.ahead.size === 0) return null;
  return { after: state.lastSeq, before: Math.min(...state.ahead.keys()) };
}

type Draft = Omit<ScanState, "events" | "phases" | "candidates"> & {
  events: ScanEvent[];
  phases: Map<ScanPhase, PhaseTimes>;
  candidates: Map<number, LiveCandidate>;
};

function take(state: Draft, event: ScanEvent): void {
  const { data, phase } = event;
  switch (event.type) {
    case "scan.created":
      state.status = "queued";
      break;
    case "scan.started":
      state.status = "running";
      break;
    case "scan.resumed":
      // One that failed, or had not begun, waits for its turn; the next phase event says that it runs.
      state.status = data.from === "paused" && state.phases.size > 0 ? "running" : "queued";
      break;
    case "scan.paused":
      state.status = "paused";
      break;
    case "scan.completed":
      state.status = "completed";
      state.outcome = outcomeOf(data.outcome);
      break;
    case "scan.failed":
      state.status = "failed";
      break;
    case "scan.cancelled":
      state.status = "cancelled";
      break;
    case "scan.phase_started":
      if (state.status === "queued") state.status = "running";
      if (phase && !state.phases.has(phase)) state.phases.set(phase, { startedAt: event.created_at, finishedAt: null });
      break;
    case "scan.phase_finished":
      if (phase) {
        const startedAt = state.phases.get(phase)?.startedAt ?? event.created_at;
        state.phases.set(phase, { startedAt, finishedAt: event.created_at });
      }
      // A resumed phase says nothing at its start.
      if (state.status === "queued") state.status = "running";
      break;
    case "scan.candidate_proposed":
      propose(state, event);
      break;
    case "scan.candidate_evaluated":
      change(state, data.ordinal, (one) => ({ ...one, comparison: comparisonOf(data) }));
      break;
    case "scan.candidate_selected":
      change(state, data.ordinal, (one) => ({ ...one, selected: true }));
      break;
    case "scan.cluster_found":
      state.clusters += 1;
      break;
    case "scan.warning":
      state.warnings += 1;
      break;
  }
}

function propose(state: Draft, { data, created_at }: ScanEvent): void {
  if (typeof data.ordinal !== "number") return;
  state.candidates.set(data.ordinal, {
    ordinal: data.ordinal,
    strategy: textOf(data.strategy),
    rationale: textOf(data.rationale),
    pointers: textsOf(data.changes),
    flags: textsOf(data.flags),
    proposedAt: created_at,
    comparison: null,
    selected: false,
  });
}

function change(state: Draft, ordinal: unknown, by: (one: LiveCandidate) => LiveCandidate): void {
  const found = typeof ordinal === "number" ? state.candidates.get(ordinal) : undefined;
  if (found) state.candidates.set(found.ordinal, by(found));
}

/** A comparison on the select split, of an event or of a candidate's `select`; null where numbers are missing. */
export function comparisonOf(data: Readonly<Record<string, unknown>>): Comparison | null {
  const [n, effect, low, high] = [data.n, data.effect, data.low, data.high].map(numberOf);
  if (n == null || effect == null || low == null || high == null) return null;
  return {
    n,
    effect,
    low,
    high,
    pAdjusted: numberOf(data.p_adjusted),
    wins: numberOf(data.wins) ?? 0,
    losses: numberOf(data.losses) ?? 0,
    accuracy: numberOf(data.accuracy) ?? numberOf(data.arm_accuracy),
    beats: data.beats === true,
  };
}

export function kindOf(type: string): EventKind {
  if (type === "scan.warning") return "warning";
  if (type.startsWith("scan.phase_")) return "phase";
  if (type.startsWith("scan.cluster_")) return "failure";
  if (type.startsWith("scan.candidate_")) return "candidate";
  if (type.startsWith("scan.changeset_") || type.startsWith("scan.holdout_")) return "decision";
  return "lifecycle";
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

function outcomeOf(value: unknown): ScanOutcome | null {
  return value === "no_improvement" || value === "validated" || value === "refuted" || value === "inconclusive" ? value : null;
}
