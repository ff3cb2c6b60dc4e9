import { useMemo } from "react";
import { DataGrid } from "@/components/data-grid";
import { EmptyState } from "@/components/empty-state";
import { formatCount } from "@/components/format";
import { ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import { itemColumns } from "./item-columns";
import { ItemPanel } from "./item-panel";
import { countsOf, isShown, sorted, sortOf } from "./item-rows";
import type { Experiment, ExperimentPath } from "./queries";
import { type ExperimentDetailSearch, SHOWN } from "./search";
import { useItemRows } from "./use-item-rows";

interface ItemsPanelProps {
  path: ExperimentPath;
  experiment: Experiment;
  search: ExperimentDetailSearch;
  onChange: (part: Partial<ExperimentDetailSearch>, replace?: boolean) => void;
}

const NAMES = { all: "All", regressed: "Regressed", improved: "Improved", changed: "Changed", missing: "Missing" };

export function ItemsPanel({ path, experiment, search, onChange }: ItemsPanelProps) {
  const { arms } = experiment;
  const found = useItemRows(path, arms.length, true);
  const show = search.show ?? "all";
  const arm = search.arm !== undefined && search.arm < arms.length ? search.arm : undefined;
  const counts = useMemo(() => countsOf(found.rows, arm), [found.rows, arm]);
  const rows = useMemo(
    () => sorted(found.rows.filter((row) => isShown(row, show, arm)), sortOf(search.sort)),
    [found.rows, show, arm, search.sort],
  );
  const columns = useMemo(() => itemColumns(arms), [arms]);
  const at = search.item === undefined ? -1 : rows.findIndex(({ id }) => id === search.item);
  const open = at >= 0 ? rows[at] : found.rows.find(({ id }) => id === search.item);
  const sort = sortOf(search.sort);
  return (
    <section aria-label="Items" className="flex flex-col overflow-hidden rounded-md border border-line bg-surface">
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-1.5">
        <h2 className="mr-1 text-sm font-semibold">Items</h2>
        <Segmented
          label="Which items"
          value={show}
          onValueChange={(next) => onChange({ show: next === "all" ? undefined : next })}
          options={SHOWN.map((value) => ({ value, label: `${NAMES[value]} ${formatCount(counts[value])}` }))}
          className="max-w-full overflow-x-auto"
        />
        {arms.length > 2 && (
          <Select
            label="Of which arm"
            size="sm"
            className="w-40"
            value={arm === undefined ? "" : String(arm)}
            onValueChange={(next) => onChange({ arm: next === "" ? undefined : Number(next) })}
            options={[{ value: "", label: "In any arm" }, ...arms.slice(1).map(({ label }, index) => ({ value: String(index + 1), label: `In ${label}` }))]}
          />
        )}
        <span className="ml-auto">
          {found.reading && found.total !== null ? (
            <span role="status" className="numeric text-xs text-muted">
              Reading {formatCount(found.rows.length)} of {formatCount(found.total)}…
            </span>
          ) : (
            <ShownOf shown={rows.length} total={found.total} noun="items" />
          )}
        </span>
      </div>
      {found.error ? (
        <ProblemNotice error={found.error} retry={found.retry} className="m-3" />
      ) : (
        <div className="flex h-[min(70vh,44rem)] min-h-72 flex-col">
          <DataGrid
            rows={rows}
            columns={columns}
            rowKey={(row) => row.id}
            label="Items"
            storageKey="experiment-items"
            loading={found.reading && rows.length === 0}
            selectedKey={search.item ?? null}
            onOpen={(row) => onChange({ item: row.id })}
            onSelectKey={search.item === undefined ? undefined : (item) => onChange({ item })}
            globalKeys={search.item !== undefined}
            sort={sort ? { column: `arm-${sort.arm}`, direction: sort.direction } : undefined}
            onSort={({ column, direction }) => onChange({ sort: `${column}:${direction}` })}
            empty={
              show === "all" ? (
                <EmptyState title="Nothing was measured">The experiment ended before an item had a result.</EmptyState>
              ) : (
                <EmptyState title={`No item ${show === "missing" ? "is missing" : show}`} actions={<Button onClick={() => onChange({ show: undefined, arm: undefined })}>Show all items</Button>} />
              )
            }
          />
        </div>
      )}
      <ItemPanel
        experiment={experiment}
        row={open}
        place={at < 0 ? null : { at, of: rows.length }}
        diff={search.diff !== "off"}
        onDiff={(on) => onChange({ diff: on ? undefined : "off" })}
        onMove={(step) => {
          const next = rows[at + step];
          if (next) onChange({ item: next.id });
        }}
        onClose={() => onChange({ item: undefined })}
      />
    </section>
  );
}
