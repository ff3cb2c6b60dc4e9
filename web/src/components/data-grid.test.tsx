import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DataGrid } from "./data-grid";
import type { GridColumn } from "./data-grid-column";
import { checkRange, checkState, moveByKey } from "./data-grid-keys";

interface Row {
  id: string;
}

const COLUMNS: GridColumn<Row>[] = [{ id: "id", header: "Name", cell: (row) => row.id }];
const ROWS: Row[] = Array.from({ length: 1000 }, (_, index) => ({ id: `row-${index}` }));
const keyOf = (row: Row) => row.id;

describe("keys", () => {
  const place = { index: 5, count: 100, page: 10 };

  it("stops at both ends", () => {
    expect(moveByKey("ArrowDown", { ...place, index: 99 })).toBe(99);
    expect(moveByKey("k", { ...place, index: 0 })).toBe(0);
    expect(moveByKey("PageDown", { ...place, index: 95 })).toBe(99);
    expect(moveByKey("PageUp", place)).toBe(0);
    expect(moveByKey("End", place)).toBe(99);
  });

  it("enters a grid without an active row at the end it comes from", () => {
    expect(moveByKey("j", { ...place, index: -1 })).toBe(0);
    expect(moveByKey("k", { ...place, index: -1 })).toBe(99);
    expect(moveByKey("j", { ...place, count: 0 })).toBeNull();
    expect(moveByKey("x", place)).toBeNull();
  });

  it("checks ranges in both directions and keeps what lies outside", () => {
    const keys = ["a", "b", "c", "d"];
    expect([...checkRange(new Set(["a"]), keys, { from: 3, to: 2, on: true })].sort()).toEqual(["a", "c", "d"]);
    expect([...checkRange(new Set(keys), keys, { from: 0, to: 2, on: false })]).toEqual(["d"]);
    expect(checkState(new Set(["a", "elsewhere"]), keys)).toBe("indeterminate");
    expect(checkState(new Set(["elsewhere"]), keys)).toBe(false);
  });
});

describe("the grid", () => {
  beforeEach(() => {
    // There is no layout here: the virtual rows need a height to fill.
    vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(400);
    vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(800);
  });
  afterEach(cleanup);

  function Grid({ open }: { open: (row: Row) => void }) {
    const [selected, setSelected] = useState<string | null>("row-1");
    const [checked, setChecked] = useState<ReadonlySet<string>>(new Set());
    return (
      <DataGrid
        label="Rows"
        rows={ROWS}
        columns={COLUMNS}
        rowKey={keyOf}
        selectedKey={selected}
        onSelectKey={setSelected}
        onOpen={open}
        checked={checked}
        onCheckedChange={setChecked}
      />
    );
  }
  const row = (index: number) => screen.getByText(`row-${index}`).closest<HTMLElement>("[role=row]");

  it("renders only what is in view, moves the focus with the selection, opens and checks", () => {
    const open = vi.fn();
    render(<Grid open={open} />);
    expect(screen.getByRole("grid").getAttribute("aria-rowcount")).toBe("1001");
    expect(screen.getAllByRole("row").length).toBeLessThan(60);

    const first = row(1);
    expect(first?.tabIndex).toBe(0);
    act(() => first?.focus());
    fireEvent.keyDown(document.activeElement ?? document.body, { key: "j" });
    expect(document.activeElement).toBe(row(2));
    expect(row(2)?.getAttribute("aria-selected")).toBe("true");

    fireEvent.keyDown(document.activeElement ?? document.body, { key: "Enter" });
    expect(open).toHaveBeenCalledExactlyOnceWith({ id: "row-2" });

    fireEvent.keyDown(document.activeElement ?? document.body, { key: " " });
    fireEvent.click(screen.getByRole("checkbox", { name: "Select row 6" }), { shiftKey: true });
    expect(screen.getAllByRole("checkbox", { checked: true })).toHaveLength(4);
    expect(open).toHaveBeenCalledOnce();
  });
});
