import type { Outcome } from "./item-rows";

export interface DimensionScore {
  name: string;
  score: number | null;
  why: string;
}

/** The document types a dimension as anything; what is not a score is shown as missing. */
export function dimensionsOf(outcome: Outcome): DimensionScore[] {
  return Object.entries(outcome.dimensions).map(([name, found]) => {
    const members: Record<string, unknown> = typeof found === "object" && found !== null ? { ...found } : {};
    const why = [members.error, members.explanation].find((one) => typeof one === "string" && one !== "");
    return { name, score: typeof members.score === "number" ? members.score : null, why: typeof why === "string" ? why : "" };
  });
}
