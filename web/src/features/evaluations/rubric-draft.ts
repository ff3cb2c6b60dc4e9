import type { Schemas } from "@/api/client";
import { weightOf } from "./weights";

export type Options = Record<string, unknown>;

export interface DimensionDraft {
  key: number;
  name: string;
  scorer: string;
  weight: string;
  options: Options;
  /** Set where the options are written as JSON and are none at the moment. */
  broken?: string;
}

export interface RubricDraft {
  dimensions: DimensionDraft[];
  threshold: string;
  onError: "zero" | "exclude";
}

type Given = Pick<Schemas["RubricOut"], "threshold" | "on_error"> & {
  dimensions: readonly (Omit<Schemas["DimensionOut"], "weight" | "options"> & { weight?: number; options?: Options })[];
};

let lastKey = 0;
export function nextKey(): number {
  lastKey += 1;
  return lastKey;
}

export function dimensionDraft(given: Given["dimensions"][number]): DimensionDraft {
  return { key: nextKey(), name: given.name, scorer: given.scorer, weight: String(given.weight ?? 1), options: given.options ?? {} };
}

export function draftOf(given: Given): RubricDraft {
  return { dimensions: given.dimensions.map(dimensionDraft), threshold: String(given.threshold), onError: given.on_error };
}

export const EMPTY_DRAFT: RubricDraft = { dimensions: [], threshold: "0.5", onError: "zero" };

const NAME = /^[A-Za-z][A-Za-z0-9_.-]*$/;

/** What keeps a draft from being sent, in words; the server judges the options. */
export function problemsOf({ dimensions, threshold }: RubricDraft): string[] {
  const names = dimensions.map(({ name }) => name);
  return [
    ...(dimensions.length === 0 ? ["A rubric needs a dimension"] : []),
    ...dimensions.flatMap(({ name, weight, broken }) => [
      ...(NAME.test(name) ? [] : [`“${name}” is no name: letters, digits, _ . -, a letter first`]),
      ...(weightOf(weight) === null ? [`The weight of ${name || "a dimension"} must be above 0`] : []),
      ...(broken ? [`Options of ${name || "a dimension"}: ${broken}`] : []),
    ]),
    ...(new Set(names).size < names.length ? ["The names of dimensions must differ"] : []),
    ...(threshold.trim() !== "" && Number(threshold) >= 0 && Number(threshold) <= 1 ? [] : ["The threshold is between 0 and 1"]),
  ];
}

/** What is sent; only of a draft without problems. */
export function specOf({ dimensions, threshold, onError }: RubricDraft): Schemas["RubricSpec"] {
  return {
    dimensions: dimensions.map(({ name, scorer, weight, options }) => ({ name, scorer, weight: weightOf(weight) ?? 1, options })),
    threshold: Number(threshold),
    on_error: onError,
  };
}

/** What a version says, as a text that can be compared line by line. */
export function textOf(rubric: Given & { description?: string | null }): string {
  const { threshold, on_error, dimensions } = rubric;
  return JSON.stringify(
    { threshold, on_error, dimensions: dimensions.map(({ name, scorer, weight, options }) => ({ name, scorer, weight, options })) },
    null,
    2,
  );
}
