import type { Schemas } from "@/api/client";
import type { Shown } from "./search";

export type Outcome = Schemas["ItemOutcomeOut"];

/** How an arm did on an item beside the baseline. */
export type Standing = "improved" | "regressed" | "same" | "missing";

export interface ArmCell {
  outcomes: readonly Outcome[];
  /** The mean over repeats of the rubric's total; null where nothing was scored. */
  score: number | null;
  /** Repeats without a score. */
  missing: number;
  /** Score less the baseline's. */
  delta: number | null;
  standing: Standing;
  /** Whether it answered something else than the baseline. */
  changed: boolean;
}

export interface ItemRow {
  id: string;
  item: Schemas["ItemResultOut"];
  /** In the order of the experiment's arms; the first is the baseline. */
  cells: readonly ArmCell[];
}

/** Sums of decimals differ in their last digits. */
const NEGLIGIBLE = 1e-9;

export function rowOf(item: Schemas["ItemResultOut"], arms: number): ItemRow {
  const first = item.arms[0]?.results ?? [];
  const baseline = scoreOf(first);
  const cells = Array.from({ length: arms }, (_, index): ArmCell => {
    const outcomes = item.arms[index]?.results ?? [];
    const score = scoreOf(outcomes);
    const delta = score === null || baseline === null ? null : score - baseline;
    return {
      outcomes,
      score,
      missing: outcomes.filter((one) => one.total === null).length,
      delta: index === 0 ? null : delta,
      standing: standingOf(index === 0 ? (score === null ? null : 0) : delta),
      changed: index > 0 && outcomes.some((one) => answered(one) !== answered(first.find(({ repeat }) => repeat === one.repeat))),
    };
  });
  return { id: item.item_id, item, cells };
}

export function standingOf(delta: number | null): Standing {
  if (delta === null) return "missing";
  if (Math.abs(delta) < NEGLIGIBLE) return "same";
  return delta > 0 ? "improved" : "regressed";
}

function scoreOf(outcomes: readonly Outcome[]): number | null {
  const totals = outcomes.flatMap(({ total }) => (total === null ? [] : [total]));
  return totals.length === 0 ? null : totals.reduce((sum, total) => sum + total, 0) / totals.length;
}

function answered(outcome: Outcome | undefined): string | null {
  return outcome?.output ?? (outcome?.error_type ? `error ${outcome.error_type}` : null);
}

/** Whether a filter shows a row. `arm`: the one that it looks at; any of them when undefined. */
export function isShown(row: ItemRow, shown: Shown, arm?: number): boolean {
  if (shown === "all") return true;
  if (shown === "missing" && arm === undefined) return row.cells.some(({ score, missing }) => score === null || missing > 0);
  const looked = arm === undefined ? row.cells.slice(1) : row.cells.slice(arm, arm + 1);
  return looked.some((cell) => {
    if (shown === "changed") return cell.changed;
    if (shown === "missing") return cell.score === null || cell.missing > 0;
    return cell.standing === shown;
  });
}

export function countsOf(rows: readonly ItemRow[], arm?: number): Record<Shown, number> {
  const count = (shown: Shown) => rows.filter((row) => isShown(row, shown, arm)).length;
  return { all: rows.length, regressed: count("regressed"), improved: count("improved"), changed: count("changed"), missing: count("missing") };
}

export interface RowSort {
  /** The place of the arm whose delta (of the baseline: whose score) orders the rows. */
  arm: number;
  direction: "asc" | "desc";
}

/** "arm-2:asc" as it stands in the address. */
export function sortOf(text: string | undefined): RowSort | null {
  const found = /^arm-(\d+):(asc|desc)$/.exec(text ?? "");
  return found ? { arm: Number(found[1]), direction: found[2] === "asc" ? "asc" : "desc" } : null;
}

export function sorted(rows: readonly ItemRow[], sort: RowSort | null): readonly ItemRow[] {
  if (!sort) return rows;
  const value = ({ cells }: ItemRow) => {
    const cell = cells[sort.arm];
    return sort.arm === 0 ? (cell?.score ?? null) : (cell?.delta ?? null);
  };
  const sign = sort.direction === "asc" ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    // What is not known stands last, whichever way the others go.
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return sign * (left - right);
  });
}
