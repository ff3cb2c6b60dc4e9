import { describe, expect, it } from "vitest";
import { type Outcome, countsOf, isShown, rowOf, sortOf, sorted, standingOf } from "./item-rows";

const outcome = (total: number | null, output: string | null, repeat = 0): Outcome => ({
  repeat,
  total,
  output,
  passed: total !== null && total >= 0.5,
  dimensions: {},
  error_type: null,
  error_message: null,
  missing_reason: total === null ? "scorer" : null,
  cost_usd: null,
  latency_ms: 1,
  input_tokens: 0,
  output_tokens: 0,
});

const row = (id: string, ...arms: Outcome[][]) =>
  rowOf(
    {
      item_id: id,
      input: null,
      expected: null,
      group_key: null,
      arms: arms.map((results, index) => ({ label: `arm ${index}`, config_hash: String(index), results })),
    },
    arms.length,
  );

const regressed = row("a", [outcome(1, "x")], [outcome(0, "y")]);
const improved = row("b", [outcome(0, "x")], [outcome(1, "y")]);
const same = row("c", [outcome(1, "x")], [outcome(1, "x")]);
const reworded = row("d", [outcome(1, "x")], [outcome(1, "y")]);
const missing = row("e", [outcome(1, "x")], [outcome(null, null)]);
const all = [regressed, improved, same, reworded, missing];
const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id).join("");

describe("standing", () => {
  it("is missing, never a loss, where either side has no score", () => {
    expect(missing.cells[1]).toMatchObject({ standing: "missing", delta: null, score: null });
    expect(row("f", [outcome(null, null)], [outcome(1, "x")]).cells[1]?.standing).toBe("missing");
  });

  it("does not take the last digit of a sum for a difference", () => {
    expect(standingOf(0.1 + 0.2 - 0.3)).toBe("same");
    expect([standingOf(0.01), standingOf(-0.01)]).toEqual(["improved", "regressed"]);
  });

  it("means repeats over those that were scored, and counts the others", () => {
    const cell = row("g", [outcome(1, "x"), outcome(0, "x", 1)], [outcome(1, "x"), outcome(null, null, 1)]).cells;
    expect(cell[0]).toMatchObject({ score: 0.5, missing: 0 });
    expect(cell[1]).toMatchObject({ score: 1, delta: 0.5, missing: 1, standing: "improved" });
  });

  it("counts an arm that brought nothing for an item as missing", () => {
    const short = rowOf({ item_id: "h", input: 1, expected: 1, group_key: null, arms: [] }, 2);
    expect(short.cells.map(({ standing }) => standing)).toEqual(["missing", "missing"]);
  });
});

describe("filters", () => {
  it("show what regressed, improved, changed its answer or is missing", () => {
    const shown = (name: "regressed" | "improved" | "changed" | "missing") => ids(all.filter((one) => isShown(one, name)));
    expect([shown("regressed"), shown("improved"), shown("changed"), shown("missing")]).toEqual(["a", "b", "abde", "e"]);
    expect(countsOf(all)).toEqual({ all: 5, regressed: 1, improved: 1, changed: 4, missing: 1 });
  });

  it("look at one arm where one is named", () => {
    const three = row("i", [outcome(1, "x")], [outcome(1, "x")], [outcome(0, "y")]);
    expect([isShown(three, "regressed"), isShown(three, "regressed", 1), isShown(three, "regressed", 2)]).toEqual([true, false, true]);
  });
});

describe("sorting", () => {
  it("orders by the delta of an arm and leaves what is not known at the end", () => {
    expect(ids(sorted(all, sortOf("arm-1:asc")))).toBe("acdbe");
    expect(ids(sorted(all, sortOf("arm-1:desc")))).toBe("bcdae");
    expect(sortOf("arm-x:asc")).toBeNull();
  });
});
