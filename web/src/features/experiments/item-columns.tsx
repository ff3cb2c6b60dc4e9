import type { GridColumn } from "@/components/data-grid-column";
import { formatPercent } from "@/components/format";
import { oneLine } from "@/components/one-line";
import { Delta } from "./delta";
import type { ArmCell, ItemRow } from "./item-rows";
import type { Experiment } from "./queries";

export function itemColumns(arms: Experiment["arms"]): GridColumn<ItemRow>[] {
  return [
    {
      id: "input",
      header: "Input",
      minWidth: 220,
      hideable: false,
      cell: ({ item }) => (item.input === null ? <span className="text-muted">Deleted from its set</span> : oneLine(item.input)),
    },
    {
      id: "expected",
      header: "Expected",
      width: 150,
      cell: ({ item }) => (item.expected === null ? <span className="text-muted" title="Nothing is expected, or the item was deleted">–</span> : oneLine(item.expected)),
    },
    ...arms.map((arm, index): GridColumn<ItemRow> => ({
      id: `arm-${index}`,
      header: index === 0 ? `${arm.label} (baseline)` : arm.label,
      title: index === 0 ? "What the baseline answered, and its score" : "What the arm answered, its score, and the difference to the baseline in points",
      width: index === 0 ? 240 : 290,
      sortable: true,
      cell: ({ cells }) => {
        const cell = cells[index];
        return cell ? <Cell cell={cell} baseline={index === 0} /> : null;
      },
    })),
  ];
}

function Cell({ cell, baseline }: { cell: ArmCell; baseline: boolean }) {
  const first = cell.outcomes[0];
  return (
    <span className="flex items-center gap-2">
      <span className="numeric w-12 shrink-0 text-right">{cell.score === null ? <Missing cell={cell} /> : formatPercent(cell.score, { digits: wholePercent(cell.score) ? 0 : 1 })}</span>
      {!baseline && (
        <span className="w-16 shrink-0">
          <Delta delta={cell.delta} standing={cell.standing} />
        </span>
      )}
      <span className={cell.changed || baseline ? "truncate" : "truncate text-muted"}>
        {first?.error_type ? <span className="text-bad">{first.error_type}</span> : first?.output ? oneLine(first.output) : null}
      </span>
    </span>
  );
}

function Missing({ cell }: { cell: ArmCell }) {
  const why = cell.outcomes[0]?.missing_reason ?? (cell.outcomes.length === 0 ? "not measured" : "unknown");
  return (
    <span className="text-warn" title={`Missing: ${why}`}>
      missing
    </span>
  );
}

function wholePercent(share: number): boolean {
  return Number.isInteger(Math.round(share * 1e6) / 1e4);
}
