import type { Schemas } from "@/api/client";
import { numberOf, textOf } from "./scan-events";
import type { ScanOutcome, ScanPhase } from "./scan-words";

/** What the phases of a scan ended with. The API gives these documents as plain JSON; here they get their types. */

type Json = Readonly<Record<string, unknown>>;

export type ScanDocument = Schemas["ScanOut"];

export type FailureCluster = {
  id: string | null;
  label: string;
  size: number;
  share: number | null;
  stability: number | null;
  muted: boolean;
  examples: readonly string[];
  /** Null before the winner was looked at. */
  fixed: number | null;
  broken: number | null;
};

export type Ablation = {
  pointer: string;
  worth: number | null;
  low: number | null;
  high: number | null;
  n: number | null;
  pAdjusted: number | null;
  objectiveWith: number | null;
  objectiveWithout: number | null;
  wins: number | null;
  losses: number | null;
};

export type Rate = { value: number; low: number; high: number; items: number };

export type StrategyUse = { name: string; candidates: number; evaluations: number; exhausted: boolean };

export type SplitFailures = { split: string; items: number; missing: number; failures: number; accuracy: number | null };

export type Look = {
  verdict: string | null;
  n: number | null;
  effect: Gain | null;
  effect95: Gain | null;
  look: number | null;
  looksPlanned: number | null;
  alpha: number | null;
  minimumEffect: number | null;
  furtherItems: number | null;
  reasons: readonly string[];
};

export type Gain = { mean: number; low: number | null; high: number | null; confidence: number | null };

export type PhaseResults = Readonly<Partial<Record<ScanPhase, Json>>> & {
  observed: { samples: { reflect: number; select: number; holdout: number } | null } | null;
  detected: readonly SplitFailures[];
  clusters: readonly FailureCluster[];
  unclustered: { size: number; fixed: number | null; broken: number | null } | null;
  strategies: readonly StrategyUse[];
  champion: Rate | null;
  winner: number | null;
  ablations: readonly Ablation[];
  look: Look | null;
  outcome: ScanOutcome | null;
};

export function resultsOf(scan: ScanDocument | undefined): PhaseResults {
  const raw: Partial<Record<ScanPhase, Json>> = {};
  for (const phase of scan?.phases ?? []) if (phase.result) raw[phase.name] = phase.result;
  const { observe, detect, cluster, generate, evaluate, diagnose, safety } = raw;
  const samples = recordOf(recordOf(observe?.readiness)?.samples);
  const diagnosed = recordsOf(diagnose?.clusters);
  const alone = recordOf(diagnose?.unclustered);
  const unclustered = alone ? (numberOf(alone.size) ?? 0) : numberOf(cluster?.unclustered);
  return {
    ...raw,
    observed: observe
      ? { samples: samples ? { reflect: count(samples.reflect), select: count(samples.select), holdout: count(samples.holdout) } : null }
      : null,
    detected: ["reflect", "select"].flatMap((split) => {
      const one = recordOf(detect?.[split]);
      return one
        ? [{ split, items: count(one.items), missing: count(one.missing), failures: count(one.failures), accuracy: numberOf(one.accuracy) }]
        : [];
    }),
    clusters: recordsOf(cluster?.clusters).map((one) => clusterOf(one, diagnosed.find((each) => each.id === one.id))),
    unclustered: unclustered === null ? null : { size: unclustered, fixed: numberOf(alone?.fixed), broken: numberOf(alone?.broken) },
    strategies: recordsOf(generate?.strategies).map((one) => ({
      name: textOf(one.name),
      candidates: count(one.candidates),
      evaluations: count(one.evaluations),
      exhausted: one.exhausted === true,
    })),
    champion: rateOf(recordOf(evaluate?.champion)),
    winner: numberOf(evaluate?.winner),
    ablations: recordsOf(diagnose?.ablations).map(ablationOf),
    look: lookOf(recordOf(safety?.validation)),
    outcome: scan?.outcome ?? null,
  };
}

function clusterOf(one: Json, diagnosed: Json | undefined): FailureCluster {
  return {
    id: textOf(one.id) || null,
    label: textOf(one.label),
    size: count(one.size),
    share: numberOf(one.share),
    stability: numberOf(one.stability),
    muted: one.muted === true,
    examples: Array.isArray(one.examples) ? one.examples.filter((text): text is string => typeof text === "string") : [],
    fixed: numberOf(diagnosed?.fixed),
    broken: numberOf(diagnosed?.broken),
  };
}

function ablationOf(one: Json): Ablation {
  return {
    pointer: textOf(one.pointer),
    worth: numberOf(one.worth),
    low: numberOf(one.low),
    high: numberOf(one.high),
    n: numberOf(one.n),
    pAdjusted: numberOf(one.p_adjusted),
    objectiveWith: numberOf(one.objective_with),
    objectiveWithout: numberOf(one.objective_without),
    wins: numberOf(one.wins),
    losses: numberOf(one.losses),
  };
}

function rateOf(one: Json | null): Rate | null {
  const [value, low, high] = [one?.accuracy, one?.accuracy_low, one?.accuracy_high].map(numberOf);
  return value == null || low == null || high == null ? null : { value, low, high, items: count(one?.items) };
}

function lookOf(one: Json | null): Look | null {
  if (!one) return null;
  return {
    verdict: textOf(one.verdict) || null,
    n: numberOf(one.n),
    effect: gainOf(recordOf(one.effect)),
    effect95: gainOf(recordOf(one.effect_95)),
    look: numberOf(one.look),
    looksPlanned: numberOf(one.looks_planned),
    alpha: numberOf(one.alpha),
    minimumEffect: numberOf(one.minimum_effect),
    furtherItems: numberOf(one.n_more),
    reasons: Array.isArray(one.reasons) ? one.reasons.filter((text): text is string => typeof text === "string") : [],
  };
}

function gainOf(one: Json | null): Gain | null {
  const mean = numberOf(one?.mean);
  return mean === null ? null : { mean, low: numberOf(one?.low), high: numberOf(one?.high), confidence: numberOf(one?.confidence) };
}

function count(value: unknown): number {
  return numberOf(value) ?? 0;
}

function recordOf(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

function recordsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(recordOf).filter((one) => one !== null) : [];
}
