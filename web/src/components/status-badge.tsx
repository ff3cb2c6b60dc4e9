import { Badge, type Tone } from "./ui/badge";

export interface StatusBadgeProps {
  /** A state as the API gives it. */
  status: string;
  /** More about it, shown on hover. */
  title?: string;
  className?: string;
}

/** What goes on, what waits, what ended well, what ended badly: one colour each, on every page. */
const TONES: Record<string, Tone> = {
  queued: "neutral",
  pending: "neutral",
  waiting: "neutral",
  proposed: "info",
  running: "info",
  validating: "info",
  receiving: "good",
  pausing: "warn",
  paused: "warn",
  interrupted: "warn",
  awaiting_input: "accent",
  succeeded: "good",
  completed: "good",
  done: "good",
  ok: "good",
  active: "good",
  healthy: "good",
  delivered: "good",
  approved: "good",
  answered: "good",
  accepted: "good",
  applied: "good",
  validated: "good",
  held: "good",
  resolved: "good",
  created: "good",
  managed: "accent",
  observed: "neutral",
  failed: "bad",
  error: "bad",
  refuted: "bad",
  refused: "bad",
  harmed: "bad",
  alerting: "bad",
  unavailable: "bad",
  rolled_back: "bad",
  inconclusive: "warn",
  unclear: "warn",
  degraded: "warn",
  attention: "warn",
  failing: "warn",
  investigating: "warn",
  open: "warn",
  no_improvement: "neutral",
  rejected: "neutral",
  superseded: "neutral",
  cancelled: "neutral",
  skipped: "neutral",
  muted: "neutral",
  released: "neutral",
  ended: "neutral",
  expired: "neutral",
  revoked: "neutral",
  disabled: "neutral",
  unset: "neutral",
};

export function StatusBadge({ status, title, className }: StatusBadgeProps) {
  return (
    <Badge tone={toneOfStatus(status)} dot title={title} className={className}>
      {statusLabel(status)}
    </Badge>
  );
}

export function toneOfStatus(status: string): Tone {
  return TONES[status] ?? "neutral";
}

/** "awaiting_input" → "Awaiting input". */
export function statusLabel(status: string): string {
  if (status === "ok") return "OK";
  const words = status.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
