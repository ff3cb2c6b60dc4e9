/** What the looks of a holdout cost, as docs/statistics.md fixes it for every holdout. */
export const LOOK_ALPHAS = [0.025, 0.0125, 0.0125] as const;

/** Fewer cannot be frozen. */
export const LEAST_ITEMS = 30;

export interface Spent {
  looks: number;
  planned: number;
  /** What is left of the α of the holdout's life; 0 once it is spent. */
  alphaLeft: number;
  /** The confidence of the next look's interval; null when there is none. */
  nextConfidence: number | null;
}

export function spentOf(looks: number): Spent {
  const next = LOOK_ALPHAS[looks];
  return {
    looks,
    planned: LOOK_ALPHAS.length,
    alphaLeft: LOOK_ALPHAS.slice(looks).reduce((sum, alpha) => sum + alpha, 0),
    nextConfidence: next === undefined ? null : 1 - next,
  };
}
