import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { RotateCw, SlidersHorizontal } from "lucide-react";
import { type KeyboardEvent, useCallback, useMemo, useState } from "react";
import { useWorkspaceId } from "@/api/access";
import type { GridSort } from "@/components/data-grid-column";
import { DataGrid } from "@/components/data-grid";
import { EmptyState } from "@/components/empty-state";
import { formatCount } from "@/components/format";
import { Page } from "@/components/page";
import { ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Sheet } from "@/components/ui/sheet";
import { useHotkey } from "@/components/use-hotkey";
import { useMedia } from "@/components/use-media";
import { FacetRail } from "@/features/traces/facet-rail";
import { FilterBar, expressionOf } from "@/features/traces/filter-bar";
import type { FilterToken } from "@/features/traces/filter-expression";
import { MissingContent, NoTraces, useHealth } from "@/features/traces/no-traces";
import { RangeSelect } from "@/features/traces/range-select";
import { GRID, SavedViews } from "@/features/traces/saved-views";
import type { TraceListSearch } from "@/features/traces/search";
import { traceColumns } from "@/features/traces/trace-columns";
import { TracePeek } from "@/features/traces/trace-peek";
import { type FoundTrace, useAgentNames, useFilters, useNewTraces, usePinnedParams, useTracePages } from "@/features/traces/trace-query";
import { TraceSelection } from "@/features/traces/trace-selection";
import { useRail } from "@/features/traces/use-rail";

const route = getRouteApi("/w/$workspaceId/traces");
const keyOf = (trace: FoundTrace) => trace.trace_id;
const NEWEST_FIRST = "-started_at";

export function TraceListPage() {
  const workspaceId = useWorkspaceId();
  const search = route.useSearch();
  const navigate = useNavigate();
  const stay = route.useNavigate();
  const change = useCallback(
    (next: Partial<TraceListSearch>, replace = true) =>
      void stay({ search: (now) => ({ ...now, ...next }), replace }),
    [stay],
  );
  const { params, tokens, renew, at } = usePinnedParams(search);
  const sort = search.sort ?? NEWEST_FIRST;
  const list = useTracePages(params, sort, at);
  const filters = useFilters(params);
  const health = useHealth();
  const agents = useAgentNames();
  const [checked, setChecked] = useState<Set<string>>(() => new Set());
  const [layout, setLayout] = useState(0);
  const rail = useRail();
  const wide = useMedia("(min-width: 1024px)");

  const scores = useMemo(() => Object.keys(filters.data?.scores ?? {}), [filters.data]);
  const columns = useMemo(() => traceColumns(agents, scores), [agents, scores]);
  const { rows } = list;
  const live = sort === NEWEST_FIRST && !list.deep && !search.to;
  const fresh = useNewTraces(params, rows[0], live);
  const peeked = rows.find((trace) => trace.trace_id === search.peek);

  const setFilter = (next: readonly FilterToken[], q: string | undefined) =>
    change({ filter: expressionOf(next, filters.data?.fields ?? []), q, peek: undefined, span: undefined }, false);
  const openTrace = useCallback(
    (traceId: string, span?: string) =>
      void navigate({ to: "/w/$workspaceId/traces/$traceId", params: { workspaceId, traceId }, search: span ? { span } : {} }),
    [navigate, workspaceId],
  );
  const peek = useCallback((trace: FoundTrace) => change({ peek: trace.trace_id, span: undefined }), [change]);
  const follow = (key: string) => {
    if (search.peek) change({ peek: key, span: undefined });
  };
  const toggle = (traceId: string) => {
    const next = new Set(checked);
    if (!next.delete(traceId)) next.add(traceId);
    setChecked(next);
  };
  // In the grid Enter opens the whole trace, as in the panel; a click peeks.
  const onKeyDownCapture = (event: KeyboardEvent<HTMLDivElement>) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[role=row][data-index]");
    if (!row || row !== event.target || event.ctrlKey || event.metaKey || event.altKey) return;
    const trace = rows[Number(row.dataset.index)];
    if (!trace) return;
    if (event.key === "Enter") openTrace(trace.trace_id);
    else if (event.key === "x") toggle(trace.trace_id);
    else if (event.key === "p") peek(trace);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  useHotkey("x", () => search.peek && toggle(search.peek), { when: search.peek !== undefined });

  const filtered = Boolean(search.q || search.filter || params.from || params.to);
  const none = list.first !== undefined && rows.length === 0 && !list.pages.hasNextPage;
  const facets = <FacetRail filters={filters.data} tokens={tokens} names={agents} onChange={(next) => setFilter(next, search.q)} />;

  return (
    <Page
      title="Traces"
      fill
      actions={
        <>
          {list.first && <Shown list={list} />}
          {fresh > 0 && (
            <Button size="sm" onClick={renew}>
              {formatCount(fresh)} new
            </Button>
          )}
          <Button size="icon" variant="ghost" aria-label="Load the list again" title="Load the list again" onClick={renew}>
            <RotateCw aria-hidden className={list.pages.isFetching ? "animate-spin" : undefined} />
          </Button>
        </>
      }
    >
      <div className="flex flex-wrap items-start gap-2 border-b border-line bg-surface px-3 py-2 sm:flex-nowrap sm:px-5">
        <Button aria-pressed={rail.open} aria-label="Facets" title={rail.open ? "Hide the facets" : "Show the facets"} onClick={rail.toggle}>
          <SlidersHorizontal aria-hidden />
          <span className="max-sm:hidden">Facets</span>
        </Button>
        <SavedViews
          workspaceId={workspaceId}
          search={search}
          onOpen={(view) => {
            change({ q: undefined, filter: undefined, range: undefined, from: undefined, to: undefined, sort: undefined, ...view, peek: undefined }, false);
            setLayout((now) => now + 1);
          }}
        />
        <div className="order-last flex w-full min-w-0 sm:order-none sm:w-auto sm:flex-1">
          <FilterBar tokens={tokens} words={search.q} filters={filters.data} names={agents} onChange={setFilter} />
        </div>
        <RangeSelect value={search} onChange={({ range, from, to }) => change({ range, from, to, peek: undefined }, false)} />
      </div>
      <MissingContent missing={health.data?.missing_content ?? []} />
      {list.deep && list.last?.search && <DeepProgress list={list} />}
      {list.pages.error && (
        <div className="p-3">
          <ProblemNotice error={list.pages.error} retry={() => void list.pages.refetch()} />
        </div>
      )}
      <div className="flex min-h-0 flex-1">
        {rail.open && wide && (
          <aside aria-label="Facets" className="w-60 shrink-0 overflow-y-auto border-r border-line bg-surface">
            {facets}
          </aside>
        )}
        {!wide && (
          <Sheet open={rail.open} onOpenChange={rail.setOpen} title="Facets" width={320} padded={false}>
            {facets}
          </Sheet>
        )}
        <div className="flex min-h-0 min-w-0 flex-1 flex-col" onKeyDownCapture={onKeyDownCapture}>
          {none && !filtered ? (
            <NoTraces />
          ) : (
            (list.first || !list.pages.error) && (
              <DataGrid
                key={`${at} ${layout}`}
                label="Traces"
                rows={rows}
                columns={columns}
                rowKey={keyOf}
                rowHeight={34}
                storageKey={GRID}
                selectedKey={search.peek}
                onOpen={peek}
                onSelectKey={follow}
                globalKeys={search.peek !== undefined}
                sort={list.deep ? undefined : gridSort(sort)}
                onSort={list.deep ? undefined : (next) => change({ sort: apiSort(next), peek: undefined }, false)}
                checked={checked}
                onCheckedChange={setChecked}
                loading={list.pages.isFetching && (rows.length === 0 || list.pages.isFetchingNextPage)}
                hasMore={list.pages.hasNextPage}
                onNearEnd={() => void list.pages.fetchNextPage()}
                total={list.deep || list.first?.pagination.total_is_estimate ? undefined : list.first?.pagination.total}
                empty={
                  <EmptyState
                    title="No traces fit"
                    actions={
                      <Button onClick={() => change({ q: undefined, filter: undefined, range: undefined, from: undefined, to: undefined }, false)}>Clear all filters</Button>
                    }
                  >
                    {list.deep ? "What was sent is searched within the time range, or 24 hours where none is chosen." : "Take a filter away, or widen the time range."}
                  </EmptyState>
                }
              />
            )
          )}
          <TraceSelection checked={checked} params={params} onClear={() => setChecked(new Set())} onDeleted={renew} />
        </div>
      </div>
      <TracePeek
        traceId={search.peek}
        row={peeked}
        place={peeked ? { at: rows.indexOf(peeked), of: rows.length } : undefined}
        span={search.span ?? peeked?.matched_span_ids?.[0]}
        tab={search.tab}
        onChange={change}
        onOpenTrace={openTrace}
        onStep={(step) => {
          const next = rows[rows.findIndex((row) => row.trace_id === search.peek) + step];
          if (next) peek(next);
        }}
      />
    </Page>
  );
}

function gridSort(sort: string): GridSort {
  return sort.startsWith("-") ? { column: sort.slice(1), direction: "desc" } : { column: sort, direction: "asc" };
}

function apiSort({ column, direction }: GridSort): string | undefined {
  const sort = direction === "desc" ? `-${column}` : column;
  return sort === NEWEST_FIRST ? undefined : sort;
}

type List = ReturnType<typeof useTracePages>;

function Shown({ list }: { list: List }) {
  const page = list.first?.pagination;
  if (list.deep) return <ShownOf shown={list.rows.length} total={null} noun="traces" />;
  // At the end of the list what is loaded is all there is.
  const open = list.pages.hasNextPage;
  const total = page && (open ? Math.max(page.total, list.rows.length) : list.rows.length);
  return <ShownOf shown={list.rows.length} total={total} totalIsEstimate={open && page?.total_is_estimate} noun="traces" />;
}

/** A search through what was sent comes bit by bit: how far it is, and further on demand. */
function DeepProgress({ list }: { list: List }) {
  const done = list.last?.search;
  if (!done) return null;
  return (
    <div role="status" className="flex flex-wrap items-center gap-x-3 border-b border-line bg-sunken px-3 py-1 text-xs text-muted sm:px-5">
      <span>
        Searched what was sent from <Time at={done.searched_to} relative={false} /> back to <Time at={done.reached} relative={false} />
        {list.pages.hasNextPage ? <>; the search goes back to <Time at={done.searched_from} relative={false} />.</> : ", all of the time range."}
      </span>
      {list.pages.hasNextPage && (
        <Button variant="link" size="sm" className="h-6" pending={list.pages.isFetching} onClick={() => void list.pages.fetchNextPage()}>
          Search further
        </Button>
      )}
    </div>
  );
}
