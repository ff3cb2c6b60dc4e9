import { Check, Circle, CircleX, Pause } from "lucide-react";
import { cn } from "@/components/cn";
import { formatDuration, pluralise } from "@/components/format";
import { statusLabel } from "@/components/status-badge";
import { Spinner } from "@/components/ui/spinner";
import { useNow } from "@/components/use-now";
import { type PhaseTimes, numberOf } from "./scan-events";
import { PHASES, type ScanPhase, type ScanStatus, hasEnded } from "./scan-words";
import type { PhaseResults } from "./scan-results";

export interface ScanPhasesProps {
  phases: ReadonlyMap<ScanPhase, PhaseTimes>;
  results: PhaseResults;
  status: ScanStatus;
}

/** The seven phases: what is done, what goes on, how long each took and what came of it. */
export function ScanPhases({ phases, results, status }: ScanPhasesProps) {
  return (
    <ol
      aria-label="Phases"
      className="grid min-w-0 grid-cols-1 rounded-md border border-line bg-surface sm:grid-cols-4 xl:grid-cols-7 max-sm:divide-y max-sm:divide-line"
    >
      {PHASES.map(({ name, label, does }) => {
        const times = phases.get(name);
        const state = stateOf(times, status);
        return (
          <li key={name} title={does} aria-current={state === "running" ? "step" : undefined} className="flex min-w-0 gap-2 px-3 py-2">
            <span className="mt-0.5 grid size-4 shrink-0 place-items-center">
              <PhaseIcon state={state} />
            </span>
            <span className="min-w-0 flex-1 max-sm:grid max-sm:grid-cols-[6rem_5rem_minmax(0,1fr)] max-sm:items-baseline max-sm:gap-2">
              <span className={cn("flex items-baseline gap-2 text-sm", state === "next" ? "text-muted" : "font-medium")}>
                {label}
                <span className="sr-only">: {SAID[state]}</span>
              </span>
              <span className="numeric block text-xs text-muted">
                {!times ? "–" : times.finishedAt ? formatDuration(spanOf(times.startedAt, times.finishedAt)) : state === "running" ? <Elapsed since={times.startedAt} /> : "not finished"}
              </span>
              <span className="numeric block truncate text-xs text-muted" title={times?.finishedAt ? briefOf(name, results) : undefined}>
                {times?.finishedAt ? briefOf(name, results) : ""}
              </span>
            </span>
          </li>
        );
      })}
    </ol>
  );
}

type PhaseState = "done" | "running" | "paused" | "broken" | "next";

const SAID: Record<PhaseState, string> = { done: "done", running: "running", paused: "paused", broken: "not finished", next: "not begun" };

function stateOf(times: PhaseTimes | undefined, status: ScanStatus): PhaseState {
  if (!times) return "next";
  if (times.finishedAt) return "done";
  if (status === "paused" || status === "queued") return "paused";
  return hasEnded(status) ? "broken" : "running";
}

function PhaseIcon({ state }: { state: PhaseState }) {
  if (state === "done") return <Check aria-hidden className="size-3.5 text-good" strokeWidth={2.5} />;
  if (state === "running") return <Spinner />;
  if (state === "paused") return <Pause aria-hidden className="size-3.5 text-warn" />;
  if (state === "broken") return <CircleX aria-hidden className="size-3.5 text-bad" />;
  return <Circle aria-hidden className="size-2.5 text-line-strong" />;
}

/** A clock of its own, so that the seconds do not redraw the page. */
export function Elapsed({ since }: { since: string }) {
  const now = useNow(1_000);
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1_000));
  // Whole seconds: a clock that runs shows no hundredths.
  return <>{seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1_000)}</>;
}

export function spanOf(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from);
}

function briefOf(name: ScanPhase, results: PhaseResults): string {
  const result = results[name];
  if (!result) return "";
  switch (name) {
    case "observe": {
      const { samples } = results.observed ?? {};
      return samples ? pluralise(samples.reflect + samples.select + samples.holdout, "item") : "";
    }
    case "detect":
      return pluralise(numberOf(result.failures) ?? 0, "failure");
    case "cluster":
      return pluralise(results.clusters.length, "cluster");
    case "generate":
      return pluralise(numberOf(result.candidates) ?? 0, "candidate");
    case "evaluate":
      return results.winner === null ? "no winner" : `#${results.winner} is ahead`;
    case "diagnose":
      return results.winner === null ? "nothing to take apart" : `${pluralise(sum(results.clusters.map((one) => one.fixed ?? 0)), "failure")} fixed`;
    case "safety":
      return results.outcome === null ? "" : statusLabel(results.outcome);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
