import { formatDateTime } from "@/components/format";
import { type LiveStep, type RunEvent, messageOf } from "./run-events";
import type { EventKind } from "./search";

export const KIND_LABELS: Record<EventKind, string> = {
  run: "Run",
  step: "Step",
  question: "Question",
  signal: "Signal",
  log: "Log",
  token: "Text",
  other: "Other",
};

export function kindOf(type: string): EventKind {
  const [first] = type.split(".");
  if (first === "interrupt") return "question";
  return first === "run" || first === "step" || first === "signal" || first === "log" || first === "token" ? first : "other";
}

export function isBad({ type, level }: RunEvent): boolean {
  return type === "run.failed" || type === "step.failed" || type === "signal.refused" || level === "error";
}

/** One line: what happened, beyond what the event's type and step say. */
export function eventDetail(event: RunEvent): string {
  const { data, type } = event;
  const error = messageOf(event.error);
  if (error !== null) return type === "step.retrying" ? `${error}; again at ${clock(data.at)}` : error;
  switch (type) {
    case "log":
      return text(data.message);
    case "token":
      return text(data.text);
    case "step.started":
      return typeof data.attempt === "number" && data.attempt > 1 ? `attempt ${data.attempt}` : "";
    case "step.waiting":
      return waitInWords(data.wait);
    case "run.waiting":
    case "run.interrupted":
    case "run.awaiting_input":
      return suspensionInWords(data.suspension, data.wake_at);
    case "run.paused":
      return text(data.reason);
    case "run.pausing":
      return text(data.reason) || "the steps in flight end first";
    case "edge.looped":
      return `back to ${text(data.target)}, round ${text(data.iteration)}`;
    case "interrupt.requested":
      return text(data.title);
    case "interrupt.answered":
      return joined(text(event.status) || text(data.status), text(data.comment)) || shortened(event.output ?? data);
    case "signal.received":
    case "signal.consumed":
    case "signal.refused":
      return text(data.signal_type);
    default:
      return shortened(event.output ?? (Object.keys(data).length > 1 ? data : null));
  }
}

/** "for the signal booked, until …"; empty where a step waits for nothing. */
export function waitOfStep({ wait }: LiveStep): string {
  if (wait === null) return "";
  const until = wait.until === null ? "" : `until ${clock(wait.until)}`;
  switch (wait.type) {
    case "timer":
      return until;
    case "retry":
      return wait.until === null ? "the next attempt" : `the next attempt, at ${clock(wait.until)}`;
    case "event":
      return joined(`signal ${wait.for ?? ""}`, until);
    case "interrupt":
      return joined(`a decision${wait.for === null ? "" : `: ${wait.for}`}`, until);
    case "input":
      return joined(`data${wait.for === null ? "" : `: ${wait.for}`}`, until);
    case "subflow":
      return joined("a sub-workflow", until);
    case "remote":
      return joined(`a runner of the queue ${wait.for ?? ""}`, until);
    default:
      return joined(wait.type.replaceAll("_", " "), until);
  }
}

function waitInWords(value: unknown): string {
  const wait = recordOf(value);
  const until = typeof wait.wake_at === "string" ? `until ${clock(wait.wake_at)}` : "";
  if (wait.type === "timer") return until;
  if (wait.type === "event") return joined(`for the signal ${text(wait.event)}`, until);
  return joined(`for ${text(wait.type) === "subflow" ? "a sub-workflow" : text(wait.type)}`, until);
}

function suspensionInWords(value: unknown, wake: unknown): string {
  const { step, reason } = recordOf(value);
  const at = typeof step === "string" ? `at ${step}` : "";
  const until = typeof wake === "string" ? `until ${clock(wake)}` : "";
  return joined(joined(at, text(reason)), until);
}

function joined(first: string, second: string): string {
  return [first.trim(), second].filter((part) => part !== "").join(", ");
}

function clock(at: unknown): string {
  return typeof at === "string" ? formatDateTime(at, { seconds: true }) : "an unknown time";
}

const LONGEST = 200;

function shortened(value: unknown): string {
  if (value === null || value === undefined) return "";
  const json = JSON.stringify(value);
  return json.length > LONGEST ? `${json.slice(0, LONGEST)}…` : json;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}
