import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Snowflake } from "lucide-react";
import { type ReactNode, useMemo } from "react";
import type { Schemas } from "@/api/client";
import { DataGrid } from "@/components/data-grid";
import type { GridColumn } from "@/components/data-grid-column";
import { shortId } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { oneLine } from "@/components/one-line";
import { Skeleton } from "@/components/ui/skeleton";
import { type ItemFilter, itemPageQuery, PAGE, type SetPath } from "./queries";
import { SplitName } from "./split-bar";

interface ItemGridProps {
  path: SetPath;
  filter: ItemFilter;
  /** Where the open item stands. */
  at: number | undefined;
  onOpen: (itemId: string, at: number) => void;
  empty: ReactNode;
}

/** A row is a place in the list; the page of items around it is asked for once the row comes into view. */
export function ItemGrid({ path, filter, at, onOpen, empty }: ItemGridProps) {
  const queries = useQueryClient();
  const first = useQuery(itemPageQuery(path, filter, 0));
  const total = first.data?.pagination.total ?? 0;
  const rows = useMemo(() => Array.from({ length: total }, (_, index) => index), [total]);
  const { workspace_id, set_id } = path;
  const { split, frozen } = filter;
  const columns = useMemo(
    () => columnsOf({ workspace_id, set_id }, { split, frozen }),
    [workspace_id, set_id, split, frozen],
  );
  const open = async (index: number) => {
    const page = await queries.fetchQuery(itemPageQuery(path, filter, Math.floor(index / PAGE)));
    const item = page.results[index % PAGE];
    if (item) onOpen(item.id, index);
  };
  if (first.error) return <ProblemNotice error={first.error} retry={() => void first.refetch()} className="m-3" />;
  return (
    <DataGrid
      rows={rows}
      columns={columns}
      rowKey={String}
      loading={first.isPending}
      total={first.data ? total : undefined}
      selectedKey={at === undefined ? null : String(at)}
      onOpen={(index) => void open(index)}
      onSelectKey={at === undefined ? undefined : (key) => void open(Number(key))}
      globalKeys={at !== undefined}
      label="Samples"
      storageKey="samples"
      empty={empty}
    />
  );
}

function columnsOf(path: SetPath, filter: ItemFilter): GridColumn<number>[] {
  const cell = (show: (item: Schemas["SampleOut"]) => ReactNode) => (index: number) => (
    <ItemCell path={path} filter={filter} index={index} show={show} />
  );
  return [
    { id: "input", header: "Input", minWidth: 260, hideable: false, cell: cell((item) => oneLine(item.input)) },
    {
      id: "expected",
      header: "Expected",
      width: 200,
      cell: cell((item) =>
        item.expected === null ? <span className="text-muted" title="Nothing is expected">–</span> : oneLine(item.expected),
      ),
    },
    {
      id: "split",
      header: "Split",
      width: 120,
      cell: cell((item) => (
        <span className="inline-flex items-center gap-1.5">
          <SplitName split={item.split} />
          {item.frozen && <Snowflake aria-label="frozen" className="size-3.5 text-info" />}
        </span>
      )),
    },
    {
      id: "metadata",
      header: "Metadata",
      width: 240,
      cell: cell((item) =>
        Object.keys(item.metadata).length === 0 ? (
          <span className="text-muted">–</span>
        ) : (
          <span className="font-mono text-xs text-muted">
            {Object.entries(item.metadata)
              .map(([name, value]) => `${name}=${oneLine(value)}`)
              .join("  ")}
          </span>
        ),
      ),
    },
    {
      id: "group",
      header: "Group",
      title: "Items of one group stay in one split and count as one observation",
      width: 200,
      hiddenAtFirst: true,
      cell: cell((item) => <span className="font-mono text-xs text-muted">{item.group_key}</span>),
    },
    {
      id: "trace",
      header: "Trace",
      width: 100,
      cell: cell((item) =>
        item.source_trace_id ? (
          <span className="font-mono text-xs" title={item.source_trace_id}>
            {shortId(item.source_trace_id)}
          </span>
        ) : (
          <span className="text-muted" title="Not made from a trace">–</span>
        ),
      ),
    },
    { id: "created", header: "Added", width: 120, cell: cell((item) => <Time at={item.created_at} className="text-muted" />) },
  ];
}

interface ItemCellProps {
  path: SetPath;
  filter: ItemFilter;
  index: number;
  show: (item: Schemas["SampleOut"]) => ReactNode;
}

function ItemCell({ path, filter, index, show }: ItemCellProps) {
  const page = useQuery(itemPageQuery(path, filter, Math.floor(index / PAGE)));
  const item = page.data?.results[index % PAGE];
  if (item) return show(item);
  if (page.error) return <span className="text-bad">Not loaded</span>;
  return page.data ? null : <Skeleton className="w-20" />;
}
