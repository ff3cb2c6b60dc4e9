import type { Schemas } from "@/api/client";
import { formatNumber } from "@/components/format";
import { type Comparison, type LiveCandidate, comparisonOf } from "./scan-events";

export type RecordedCandidate = Schemas["spectral__domains__scans__schemas__CandidateOut"];

/** A candidate as the page shows it: what the events say at once, and what the scan's document adds. */
export type Candidate = LiveCandidate & {
  /** Null until the document has been read. */
  changes: Readonly<Record<string, unknown>> | null;
  /** On no other candidate's account is it both better and cheaper; null before it was compared. */
  onFrontier: boolean | null;
  /** The candidates that it was made of; empty: made from the champion. */
  parents: readonly number[];
};

export function mergeCandidates(live: ReadonlyMap<number, LiveCandidate>, recorded: readonly RecordedCandidate[], winner: number | null): Candidate[] {
  const ordinals = new Set([...live.keys(), ...recorded.map((one) => one.ordinal)]);
  const merged: Candidate[] = [...ordinals]
    .sort((a, b) => a - b)
    .map((ordinal) => {
      const seen = live.get(ordinal);
      const stored = recorded.find((one) => one.ordinal === ordinal);
      const select = stored?.select ?? null;
      return {
        ordinal,
        strategy: stored?.strategy ?? seen?.strategy ?? "",
        rationale: stored?.rationale ?? seen?.rationale ?? "",
        pointers: stored ? Object.keys(stored.changes).sort() : (seen?.pointers ?? []),
        flags: seen?.flags ?? [],
        proposedAt: seen?.proposedAt ?? "",
        comparison: seen?.comparison ?? (select ? comparisonOf(select) : null),
        selected: winner === ordinal || (seen?.selected ?? false),
        changes: stored?.changes ?? null,
        onFrontier: typeof select?.on_frontier === "boolean" ? select.on_frontier : null,
        parents: [],
      };
    });
  return merged.map((one) => ({ ...one, parents: parentsOf(one, merged) }));
}

/**
 * Candidates do not name their parents, but two kinds follow from what they are: `combined` holds the changes of the
 * first candidates of other strategies, and `prune` says at the beginning of its rationale which strategy's first
 * candidate it made smaller. All others are made from the champion.
 */
export function parentsOf(candidate: Candidate, all: readonly Candidate[]): number[] {
  const firsts = new Map<string, Candidate>();
  for (const one of all) if (one.ordinal < candidate.ordinal && !firsts.has(one.strategy)) firsts.set(one.strategy, one);
  if (candidate.strategy === "prune") {
    const named = [...firsts.values()].find((one) => candidate.rationale.startsWith(`${one.strategy} without `));
    return named ? [named.ordinal] : [];
  }
  if (candidate.strategy !== "combined" || candidate.changes === null) return [];
  const whole = candidate.changes;
  return [...firsts.values()]
    .filter((one) => one.changes !== null && Object.keys(one.changes).length > 0)
    .filter((one) => Object.entries(one.changes ?? {}).every(([place, value]) => JSON.stringify(whole[place]) === JSON.stringify(value)))
    .map((one) => one.ordinal);
}

export type ScorePoint = {
  ordinal: number;
  comparison: Comparison | null;
  /** The largest gain of this and all before that beat the champion; 0 is the champion itself. */
  best: number;
  /** Whether this one raised it. */
  improves: boolean;
};

/** The candidates in the order of their proposal, with the best gain so far. What does not beat the champion never counts. */
export function bestSoFar(candidates: readonly Pick<Candidate, "ordinal" | "comparison">[]): ScorePoint[] {
  let best = 0;
  return [...candidates]
    .sort((a, b) => a.ordinal - b.ordinal)
    .map(({ ordinal, comparison }) => {
      const improves = comparison !== null && comparison.beats && comparison.effect > best;
      if (improves) best = comparison.effect;
      return { ordinal, comparison, best, improves };
    });
}

/** What became of a candidate, in a word. */
export type Standing = "chosen" | "beats" | "behind" | "not compared" | "waiting";

export function standingOf(candidate: Pick<Candidate, "selected" | "comparison">, compared: boolean): Standing {
  if (candidate.selected) return "chosen";
  if (candidate.comparison) return candidate.comparison.beats ? "beats" : "behind";
  return compared ? "not compared" : "waiting";
}

export function formatP(p: number | null | undefined): string {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "< 0.001" : formatNumber(p, { digits: 3 });
}
