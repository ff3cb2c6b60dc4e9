/** Weights count beside each other only: what a dimension or a term is worth is its share of their sum. */

/** What is typed as a weight; null where it is none. */
export function weightOf(text: string): number | null {
  const weight = Number(text);
  return text.trim() !== "" && Number.isFinite(weight) && weight > 0 && weight <= 1_000_000 ? weight : null;
}

export function sumOf(weights: readonly string[]): number {
  return weights.reduce((sum, text) => sum + (weightOf(text) ?? 0), 0);
}

/** The share of each, from 0 to 1; null for what is no weight. */
export function sharesOf(weights: readonly string[]): (number | null)[] {
  const sum = sumOf(weights);
  return weights.map((text) => {
    const weight = weightOf(text);
    return weight === null || sum === 0 ? null : weight / sum;
  });
}

const DIGITS = 3;

/** The same shares with a sum of exactly 1, rounded; the last digits go where the rounding took most (largest remainder). */
export function normalised(weights: readonly string[]): string[] {
  const shares = sharesOf(weights);
  if (shares.length === 0 || shares.some((share) => share === null)) return [...weights];
  const unit = 10 ** DIGITS;
  const exact = shares.map((share) => (share ?? 0) * unit);
  // No weight may become 0: that would take its dimension away.
  const whole = exact.map((share) => Math.max(1, Math.floor(share + 1e-9)));
  let left = unit - whole.reduce((sum, part) => sum + part, 0);
  const order = exact
    .map((share, index) => ({ index, rest: share - (whole[index] ?? 0) }))
    .sort((a, b) => b.rest - a.rest || a.index - b.index);
  for (let turn = 0; left > 0; turn += 1, left -= 1) {
    const at = order[turn % order.length]?.index ?? 0;
    whole[at] = (whole[at] ?? 0) + 1;
  }
  for (; left < 0; left += 1) {
    const at = whole.indexOf(Math.max(...whole));
    whole[at] = (whole[at] ?? 0) - 1;
  }
  return whole.map((part) => String(part / unit));
}

/** Whether they are a division of 1 as they stand. */
export function sumToOne(weights: readonly string[]): boolean {
  return Math.abs(sumOf(weights) - 1) < 1e-9;
}
