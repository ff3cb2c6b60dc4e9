import { Link2 } from "lucide-react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { formatCost, formatCount, formatDuration } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonRows } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { FeedbackList } from "@/features/traces/feedback";
import { ScoreList } from "@/features/traces/score-list";
import type { SpanTab, TraceDetailSearch } from "@/features/traces/search";
import { SpanAttributes } from "@/features/traces/span-attributes";
import { SpanContent } from "@/features/traces/span-content";
import { SpanEvents } from "@/features/traces/span-events";
import { KindIcon, kindLabel } from "@/features/traces/span-kind";
import type { TreeSpan } from "@/features/traces/span-tree";

export interface SpanPanelProps {
  traceId: string;
  span: TreeSpan;
  tab: SpanTab | undefined;
  onChange: (next: Partial<TraceDetailSearch>) => void;
}

/** Everything about one span; what was sent for it is asked for when it is selected. */
export function SpanPanel({ traceId, span, tab = "content", onChange }: SpanPanelProps) {
  const workspaceId = useWorkspaceId();
  const path = { workspace_id: workspaceId, trace_id: traceId };
  const whole = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/traces/{trace_id}/spans/{span_id}",
    { params: { path: { ...path, span_id: span.span_id } } },
    { structuralSharing: false, staleTime: 60_000, gcTime: 60_000 },
  );
  const feedback = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/traces/{trace_id}/feedback", { params: { path, query: { limit: 100 } } });
  const scores = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/traces/{trace_id}/scores", { params: { path, query: { limit: 100 } } });
  const body = whole.data?.body;
  const copyLink = async () => {
    const link = new URL(`/w/${workspaceId}/traces/${traceId}`, location.origin);
    link.searchParams.set("span", span.span_id);
    try {
      await navigator.clipboard.writeText(link.href);
      toast.success("Link to this span copied");
    } catch {
      toast.error("The browser refused to copy");
    }
  };
  return (
    <>
      <header className="shrink-0 border-b border-line px-3 pt-2">
        <div className="flex min-w-0 items-center gap-2">
          <KindIcon kind={span.kind} />
          <h2 className="min-w-0 truncate text-sm font-semibold" title={span.name}>
            {span.name}
          </h2>
          {span.status === "error" && (
            <Badge tone="bad" dot>
              {span.error_type ?? "Error"}
            </Badge>
          )}
          <Button size="icon" variant="ghost" className="ml-auto" aria-label="Copy a link to this span" title="Copy a link to this span" onClick={() => void copyLink()}>
            <Link2 aria-hidden />
          </Button>
        </div>
        <SpanFacts span={span} costSource={body?.cost_source ?? null} />
        <Tabs
          className="-mb-px -ml-2"
          name="span"
          label="About the span"
          value={tab}
          onValueChange={(next) => onChange({ tab: next === "content" ? undefined : next })}
          tabs={[
            { value: "content", label: "Content" },
            { value: "attributes", label: "Attributes" },
            { value: "events", label: "Events", count: body ? body.events.length + body.links.length : null },
            { value: "feedback", label: "Feedback", count: feedback.data?.pagination.total ?? null },
            { value: "scores", label: "Scores", count: scores.data?.pagination.total ?? null },
          ]}
        />
      </header>
      <TabPanel key={span.span_id} value={tab} name="span" className="min-h-0 flex-1 overflow-y-auto p-3">
        {tab === "feedback" ? (
          <FeedbackList traceId={traceId} span={span} feedback={feedback} />
        ) : tab === "scores" ? (
          <ScoreList scores={scores} />
        ) : whole.error ? (
          <ProblemNotice error={whole.error} retry={() => void whole.refetch()} />
        ) : !whole.data || !body ? (
          <SkeletonRows rows={6} label="Loading what was sent" />
        ) : tab === "attributes" ? (
          <SpanAttributes span={whole.data} body={body} />
        ) : tab === "events" ? (
          <SpanEvents body={body} startedAt={whole.data.started_at} />
        ) : (
          <SpanContent span={whole.data} body={body} />
        )}
      </TabPanel>
    </>
  );
}

type SpanFactsProps = { span: TreeSpan; costSource: Schemas["SpanBodyOut"]["cost_source"] };

function SpanFacts({ span, costSource }: SpanFactsProps) {
  const parts = [
    span.cache_read_tokens ? `${formatCount(span.cache_read_tokens)} read from cache` : null,
    span.cache_write_tokens ? `${formatCount(span.cache_write_tokens)} written to cache` : null,
    span.reasoning_tokens ? `${formatCount(span.reasoning_tokens)} reasoning` : null,
    span.audio_tokens ? `${formatCount(span.audio_tokens)} audio` : null,
  ].filter((part) => part !== null);
  const counted = typeof span.input_tokens === "number" || typeof span.output_tokens === "number";
  const source = costSource === "reported" ? "reported by the instrumentation" : costSource === "computed" ? "computed from the tokens" : undefined;
  return (
    <p className="numeric flex flex-wrap items-center gap-x-3 gap-y-0.5 py-1 text-xs text-muted">
      <span>{kindLabel(span.kind)}</span>
      {span.model && <span className="text-text">{span.model}</span>}
      {span.tool_name && <span className="text-text">{span.tool_name}</span>}
      <span title={`Starts ${formatDuration(span.offset_ms)} after the trace`}>{formatDuration(span.duration_ms)}</span>
      {counted && (
        <span title={parts.length > 0 ? `Of these ${parts.join(", ")}` : undefined}>
          {formatCount(span.input_tokens)} in, {formatCount(span.output_tokens)} out{parts.length > 0 && ` (${parts.join(", ")})`}
        </span>
      )}
      {span.cost_usd ? (
        <span title={source}>{formatCost(span.cost_usd)}</span>
      ) : (
        counted && <span title="The price of this model is not known here">cost unknown</span>
      )}
    </p>
  );
}
