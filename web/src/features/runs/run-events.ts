import type { Schemas } from "@/api/client";

export type RunEvent = Schemas["spectral__domains__workflows__runs__reading_schemas__EventOut"];

/** What a step waits for. `for` is the signal's type, the question, or the runners' queue; `input` asks a person for data. */
export type StepWait = { type: string; until: string | null; for: string | null; runId: string | null };

export type LiveStep = {
  /** Unique within a generation: the key, with the iteration where a loopback repeated the step. */
  id: string;
  key: string;
  iteration: number;
  /** In the order in which the steps began. */
  position: number;
  status: string;
  attempts: number;
  startedAt: string | null;
  endedAt: string | null;
  wait: StepWait | null;
  error: string | null;
  /** What a model has streamed so far, in the present attempt. */
  text: string;
};

/** What the events say about one generation of a run. */
export type RunGeneration = {
  status: string | null;
  startedAt: string | null;
  endedAt: string | null;
  steps: ReadonlyMap<string, LiveStep>;
  /** The last iteration of each key. */
  iterations: ReadonlyMap<string, number>;
};

/** What the events say about a run so far. Never changed in place. */
export type RunLife = {
  events: readonly RunEvent[];
  /** The last of an unbroken row: `seq` counts from 1 without gaps, over all generations. */
  lastSeq: number;
  /** What came before one that is still missing. */
  ahead: ReadonlyMap<number, RunEvent>;
  generations: ReadonlyMap<number, RunGeneration>;
};

export const UNBORN: RunLife = { events: [], lastSeq: 0, ahead: new Map(), generations: new Map() };
export const NO_GENERATION: RunGeneration = { status: null, startedAt: null, endedAt: null, steps: new Map(), iterations: new Map() };

const ENDS = new Set(["run.succeeded", "run.failed", "run.cancelled"]);
const STEP_ENDS = new Set(["succeeded", "failed", "skipped", "cancelled"]);

export function hasEndedStep(status: string): boolean {
  return STEP_ENDS.has(status);
}

/** Events in any order, any number of times. The same state comes back where nothing is new. */
export function withEvents(life: RunLife, batch: readonly RunEvent[]): RunLife {
  const fresh = batch.filter((event) => event.seq > life.lastSeq && !life.ahead.has(event.seq));
  if (fresh.length === 0) return life;
  const ahead = new Map(life.ahead);
  for (const event of fresh) ahead.set(event.seq, event);
  const events = [...life.events];
  const generations = new Map<number, RunGeneration>(life.generations);
  const drafts = new Map<number, Draft>();
  let { lastSeq } = life;
  for (let event = ahead.get(lastSeq + 1); event !== undefined; event = ahead.get(lastSeq + 1)) {
    ahead.delete(event.seq);
    lastSeq = event.seq;
    events.push(event);
    const draft = drafts.get(event.generation) ?? draftOf(generations.get(event.generation) ?? NO_GENERATION);
    drafts.set(event.generation, draft);
    if (event.node === null) takeOfRun(draft, event);
    else takeOfStep(draft, event.node, event);
  }
  for (const [number, draft] of drafts) generations.set(number, draft);
  return { events, lastSeq, ahead, generations };
}

/** The moment that an event tells of; the end of a step also carries its beginning. */
export function momentOf(event: RunEvent): string {
  return event.ended_at ?? event.started_at;
}

type Draft = Omit<RunGeneration, "steps" | "iterations"> & { steps: Map<string, LiveStep>; iterations: Map<string, number> };

function draftOf(generation: RunGeneration): Draft {
  return { ...generation, steps: new Map(generation.steps), iterations: new Map(generation.iterations) };
}

function takeOfRun(draft: Draft, event: RunEvent): void {
  if (event.type === "run.started") draft.startedAt ??= event.started_at;
  if (event.type.startsWith("run.") && event.status !== null) draft.status = event.status;
  // What was in flight stands still with its run; timers run on.
  if (event.type === "run.paused") turn(draft, "running", "paused");
  if (event.type === "run.resumed") turn(draft, "paused", "running");
  if (!ENDS.has(event.type)) return;
  draft.endedAt = momentOf(event);
  for (const step of draft.steps.values()) {
    if (!hasEndedStep(step.status)) draft.steps.set(step.id, { ...step, status: "cancelled", endedAt: draft.endedAt, wait: null });
  }
}

function turn(draft: Draft, from: string, to: string): void {
  for (const step of draft.steps.values()) if (step.status === from) draft.steps.set(step.id, { ...step, status: to });
}

function takeOfStep(draft: Draft, key: string, event: RunEvent): void {
  const { data, type } = event;
  const told = typeof data.iteration === "number" && type.startsWith("step.") ? data.iteration : undefined;
  const iteration = told ?? draft.iterations.get(key) ?? 1;
  const id = stepId(key, iteration);
  const known = draft.steps.get(id);
  if (known === undefined && !type.startsWith("step.") && type !== "interrupt.requested") return;
  const before: LiveStep = known ?? {
    id,
    key,
    iteration,
    position: draft.steps.size,
    status: "queued",
    attempts: 0,
    startedAt: null,
    endedAt: null,
    wait: null,
    error: null,
    text: "",
  };
  const after = stepAfter(before, event);
  if (after === before && known !== undefined) return;
  draft.iterations.set(key, Math.max(iteration, draft.iterations.get(key) ?? 0));
  draft.steps.set(id, after);
}

function stepAfter(step: LiveStep, event: RunEvent): LiveStep {
  const { data, type } = event;
  switch (type) {
    case "step.started": {
      const attempts = typeof data.attempt === "number" ? data.attempt : Math.max(step.attempts, 1);
      return { ...step, status: "running", attempts, startedAt: step.startedAt ?? event.started_at, endedAt: null, wait: null, text: "" };
    }
    case "step.waiting":
    case "interrupt.requested":
      return { ...step, status: event.status ?? "waiting", wait: waitOf(data) };
    case "step.retrying":
      return { ...step, status: "waiting", wait: { type: "retry", until: textOf(data.at), for: null, runId: null }, error: messageOf(event.error) };
    case "interrupt.answered":
    case "interrupt.expired":
      return hasEndedStep(step.status) ? step : { ...step, status: "running", wait: null };
    case "step.completed":
    case "step.failed":
    case "step.skipped":
    case "step.cancelled":
      return {
        ...step,
        status: event.status ?? (type === "step.completed" ? "succeeded" : type.slice("step.".length)),
        startedAt: type === "step.skipped" ? step.startedAt : (step.startedAt ?? event.started_at),
        endedAt: momentOf(event),
        wait: null,
        error: messageOf(event.error),
      };
    case "token":
      return { ...step, text: step.text + (textOf(data.text) ?? "") };
    default:
      return step;
  }
}

export function stepId(key: string, iteration: number): string {
  return iteration === 1 ? key : `${key}@${iteration}`;
}

/** What colour and word a step gets: one that asks a person is told apart from one that waits for a time. */
export function shownStatus({ status, wait }: LiveStep): string {
  if (status !== "waiting") return status;
  return wait?.type === "interrupt" ? "interrupted" : wait?.type === "input" ? "awaiting_input" : status;
}

function waitOf(data: RunEvent["data"]): StepWait {
  const wait = typeof data.wait === "object" && data.wait !== null ? (data.wait as Record<string, unknown>) : {};
  const type = textOf(wait.type) ?? "waiting";
  return {
    type: type === "interrupt" && typeof data.kind === "string" && data.kind !== "decision" ? "input" : type,
    until: textOf(wait.wake_at),
    for: textOf(wait.event) ?? textOf(wait.queue) ?? textOf(data.title),
    runId: textOf(wait.run_id),
  };
}

export function messageOf(error: { [key: string]: unknown } | null): string | null {
  return error === null ? null : (textOf(error.message) ?? textOf(error.type));
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
