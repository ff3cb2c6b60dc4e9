import { useCallback, useMemo, useRef, useState } from "react";
import { api } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { cn } from "@/components/cn";
import { EmptyState } from "@/components/empty-state";
import { formatCount } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { TraceDetailSearch } from "@/features/traces/search";
import { SpanList } from "@/features/traces/span-list";
import { SpanPanel } from "@/features/traces/span-panel";
import { ROW_HEIGHT } from "@/features/traces/span-row";
import { SpanToolbar } from "@/features/traces/span-toolbar";
import { type SpanNode, ancestorsOf, buildTree, findSpans, kindsOf, visibleRows } from "@/features/traces/span-tree";
import { wholeWindow } from "@/features/traces/waterfall";

export interface TraceViewProps {
  traceId: string;
  search: TraceDetailSearch;
  onChange: (next: Partial<TraceDetailSearch>) => void;
  /** In a panel: the spans above, what one says below. */
  compact?: boolean;
  /** Late spans: asks again so often, in milliseconds. */
  refetchInterval?: number | false;
}

const TOOLBAR_HEIGHT = 48;
const NO_SPANS: SpanNode[] = [];

export function TraceView({ traceId, search, onChange, compact = false, refetchInterval = false }: TraceViewProps) {
  const workspaceId = useWorkspaceId();
  const tree = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/traces/{trace_id}/tree",
    { params: { path: { workspace_id: workspaceId, trace_id: traceId } } },
    { refetchInterval, staleTime: 30_000 },
  );
  const nodes = useMemo(() => (tree.data ? buildTree(tree.data.spans) : NO_SPANS), [tree.data]);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(() => new Set());
  const [zoomId, setZoomId] = useState<string | null>(null);
  const panel = useRef<HTMLDivElement>(null);

  const find = search.find ?? "";
  const chosen = useMemo(() => new Set(search.kinds?.split(",").filter(Boolean)), [search.kinds]);
  const errorsOnly = search.errors === true;
  const rows = useMemo(() => visibleRows(nodes, collapsed, { kinds: chosen, errorsOnly }), [nodes, collapsed, chosen, errorsOnly]);
  const matches = useMemo(() => findSpans(nodes, find), [nodes, find]);
  const matched = useMemo(() => new Set(matches), [matches]);
  const words = useMemo(() => find.toLowerCase().split(/\s+/).filter(Boolean), [find]);
  const byId = useMemo(() => new Map(nodes.map((node) => [node.span.span_id, node])), [nodes]);
  const kinds = useMemo(() => kindsOf(nodes), [nodes]);
  const errors = useMemo(() => nodes.filter((node) => node.span.status === "error").length, [nodes]);
  const selected = byId.get(search.span ?? "") ?? nodes[0];
  const zoomed = zoomId === null ? undefined : byId.get(zoomId)?.span;
  const window = useMemo(() => {
    if (zoomed) return { start: zoomed.offset_ms, end: zoomed.offset_ms + zoomed.duration_ms };
    return wholeWindow(tree.data?.spans ?? [], tree.data?.duration_ms ?? 0);
  }, [zoomed, tree.data]);

  const select = useCallback((spanId: string) => onChange({ span: spanId }), [onChange]);
  const toggle = useCallback(
    (spanId: string) =>
      setCollapsed((now) => {
        const next = new Set(now);
        if (!next.delete(spanId)) next.add(spanId);
        return next;
      }),
    [],
  );
  /** Selects a span wherever it is: unfolds what lies above it. */
  const reveal = (index: number) => {
    const node = nodes[index];
    if (!node) return;
    const above = ancestorsOf(nodes, index);
    if (above.some((id) => collapsed.has(id))) setCollapsed(new Set([...collapsed].filter((id) => !above.includes(id))));
    select(node.span.span_id);
  };
  const here = selected?.index ?? -1;
  const matchAt = matches.indexOf(here);
  const step = (by: 1 | -1) => {
    if (matches.length === 0) return;
    const next = by === 1 ? matches.find((index) => index > here) : matches.findLast((index) => index < here);
    reveal(next ?? matches.at(by === 1 ? 0 : -1) ?? 0);
  };
  const zoom = () => setZoomId(zoomId === null ? (selected?.span.span_id ?? null) : null);

  if (tree.error && !tree.data) {
    return (
      <div className="p-4">
        <ProblemNotice error={tree.error} retry={() => void tree.refetch()} />
      </div>
    );
  }
  if (!tree.data) return <SkeletonRows rows={14} rowHeight={28} label="Loading the spans" className="bg-surface" />;
  return (
    <div className={cn("flex min-h-0 flex-1", compact ? "flex-col" : "flex-col lg:flex-row")}>
      <section
        aria-label="Spans"
        // In a panel a short trace leaves its room to what the spans say.
        style={compact ? { height: TOOLBAR_HEIGHT + Math.max(3, rows.length) * ROW_HEIGHT } : undefined}
        className={cn("flex min-h-0 min-w-0 flex-col", compact ? "max-h-2/5 shrink-0" : "h-1/2 lg:h-auto lg:w-[57%]")}
      >
        <SpanToolbar
          find={find}
          onFind={(next) => onChange({ find: next || undefined })}
          matches={matches.length}
          matchAt={matchAt}
          onStep={step}
          kinds={kinds}
          chosen={chosen}
          onKinds={(next) => onChange({ kinds: next.size > 0 ? [...next].join(",") : undefined })}
          errors={errors}
          errorsOnly={errorsOnly}
          onErrorsOnly={(only) => onChange({ errors: only || undefined })}
          onFold={(fold) => setCollapsed(fold ? new Set(nodes.filter((node) => node.children > 0 && node.parent >= 0).map((node) => node.span.span_id)) : new Set())}
          zoomed={zoomId !== null}
          onZoom={zoom}
          shown={rows.length}
          total={tree.data.span_count}
          compact={compact}
        />
        {tree.data.is_cut && (
          <p className="border-b border-line bg-warn-soft px-3 py-1 text-xs">
            This trace has more spans: the first {formatCount(nodes.length)} are shown.
          </p>
        )}
        {rows.length === 0 ? (
          <EmptyState
            title="No span fits"
            actions={<Button onClick={() => onChange({ kinds: undefined, errors: undefined })}>Show all spans</Button>}
          />
        ) : (
          <SpanList
            nodes={nodes}
            rows={rows}
            selectedId={selected?.span.span_id}
            collapsed={collapsed}
            matched={matched}
            words={words}
            window={window}
            compact={compact}
            onSelect={select}
            onToggle={toggle}
            onEnter={() => panel.current?.focus()}
            onZoom={zoom}
          />
        )}
      </section>
      <section
        ref={panel}
        tabIndex={-1}
        aria-label="Selected span"
        className={cn("flex min-h-0 min-w-0 flex-1 flex-col border-line bg-surface outline-none", compact ? "border-t" : "border-t lg:border-t-0 lg:border-l")}
      >
        {selected && <SpanPanel traceId={traceId} span={selected.span} tab={search.tab} onChange={onChange} />}
      </section>
    </div>
  );
}
