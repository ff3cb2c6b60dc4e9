import type { Schemas } from "@/api/client";

type Outcome = Schemas["ItemOutcomeOut"];

/** As many as a preview takes. */
export const MOST_PAIRS = 1_000;

/** What an experiment measured, as pairs of the baseline and one of its arms, repeat by repeat. */
export function pairsOf(items: readonly Schemas["ItemResultOut"][], arm: number): Schemas["PairIn"][] {
  return items
    .flatMap((item) => {
      const champions = item.arms[0]?.results ?? [];
      return (item.arms[arm]?.results ?? []).flatMap((challenger) => {
        const champion = champions.find(({ repeat }) => repeat === challenger.repeat);
        return champion ? [{ champion: measured(champion), challenger: measured(challenger) }] : [];
      });
    })
    .slice(0, MOST_PAIRS);
}

function measured(outcome: Outcome): Schemas["MeasuredIn"] {
  const dimensions = Object.entries(outcome.dimensions).map(([name, found]): [string, number | null] => {
    const score = typeof found === "object" && found !== null && "score" in found ? found.score : null;
    return [name, typeof score === "number" ? score : null];
  });
  return {
    total: outcome.total,
    dimensions: Object.fromEntries(dimensions),
    error_type: outcome.error_type,
    latency_ms: outcome.latency_ms,
    cost_usd: outcome.cost_usd,
  };
}
