import type { Schemas } from "@/api/client";
import type { GridColumn } from "@/components/data-grid-column";
import { dateOf, formatCost, formatCount, formatDateTime, formatDuration, formatNumber, shortId } from "@/components/format";
import { Badge } from "@/components/ui/badge";
import { TraceStatus } from "@/features/traces/trace-status";
import type { FoundTrace } from "@/features/traces/trace-query";

type TraceFacts = Pick<Schemas["TraceOut"], "cost_usd" | "unpriced_spans">;

/** What is known of the cost, and whether that is all of it. */
export function Cost({ trace }: { trace: TraceFacts }) {
  const unpriced = trace.unpriced_spans;
  if (trace.cost_usd === null && unpriced === 0) return <Dash title="No model was called" />;
  if (trace.cost_usd === null) {
    return (
      <span className="text-muted" title={`The price of ${unpriced === 1 ? "a model call" : `${formatCount(unpriced)} model calls`} is unknown`}>
        unknown
      </span>
    );
  }
  return (
    <span title={unpriced > 0 ? `At least: the price of ${formatCount(unpriced)} more model calls is unknown` : `$${trace.cost_usd}`}>
      {unpriced > 0 && "≥ "}
      {formatCost(trace.cost_usd)}
    </span>
  );
}

export function Dash({ title }: { title: string }) {
  return (
    <span className="text-muted" title={title}>
      –
    </span>
  );
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** The second it began where that is today, the minute otherwise: "1 h ago" would say the same of every row. */
function Started({ at }: { at: string }) {
  const date = dateOf(at);
  if (!date) return null;
  const today = date.toDateString() === new Date().toDateString();
  return (
    <time dateTime={at} title={formatDateTime(date, { seconds: true, zone: true })} className="numeric text-muted">
      {(today ? CLOCK : DAY).format(date)}
    </time>
  );
}

function preview(text: string | null, what: string) {
  if (text === null || text === "") return <Dash title={`No ${what} was sent`} />;
  return <span title={text.length > 60 ? text : undefined}>{text}</span>;
}

function text(value: string | null, absent: string) {
  return value ? <span title={value}>{value}</span> : <Dash title={absent} />;
}

/** The columns of the list; `scores` are the names that traces here have. */
export function traceColumns(agents: ReadonlyMap<string, string>, scores: readonly string[]): GridColumn<FoundTrace>[] {
  const tokens = (trace: FoundTrace) => trace.input_tokens + trace.output_tokens;
  return [
    { id: "started_at", header: "Started", width: 98, sortable: true, hideable: false, cell: (trace) => <Started at={trace.started_at} /> },
    {
      id: "name",
      header: "Name",
      width: 136,
      cell: (trace) => <span title={trace.name}>{trace.name}</span>,
    },
    { id: "input", header: "Input", minWidth: 150, cell: (trace) => preview(trace.input_preview, "input") },
    { id: "output", header: "Output", minWidth: 120, cell: (trace) => preview(trace.output_preview, "output") },
    { id: "status", header: "Status", width: 94, cell: (trace) => <TraceStatus trace={trace} /> },
    { id: "duration_ms", header: "Latency", width: 76, align: "right", sortable: true, cell: (trace) => formatDuration(trace.duration_ms) },
    {
      id: "tokens",
      header: "Tokens",
      width: 70,
      align: "right",
      sortable: true,
      cell: (trace) =>
        tokens(trace) === 0 ? (
          <Dash title="No tokens were reported" />
        ) : (
          <span title={`${formatCount(trace.input_tokens)} input, ${formatCount(trace.output_tokens)} output`}>
            {formatCount(tokens(trace), { compact: true })}
          </span>
        ),
    },
    { id: "cost_usd", header: "Cost", width: 88, align: "right", sortable: true, cell: (trace) => <Cost trace={trace} /> },
    {
      id: "agent",
      header: "Agent",
      width: 100,
      cell: (trace) => {
        if (!trace.agent_id) return <Dash title="Names no agent" />;
        return <span title={trace.agent_id}>{agents.get(trace.agent_id) ?? shortId(trace.agent_id)}</span>;
      },
    },
    { id: "version", header: "Version", width: 72, hiddenAtFirst: true, cell: (trace) => text(trace.agent_version, "Names no version") },
    { id: "span_count", header: "Spans", width: 60, align: "right", sortable: true, cell: (trace) => formatCount(trace.span_count) },
    { id: "error_count", header: "Failed spans", width: 96, align: "right", sortable: true, hiddenAtFirst: true, cell: (trace) => formatCount(trace.error_count) },
    { id: "feedback", header: "Feedback", width: 84, align: "right", hiddenAtFirst: true, cell: (trace) => (trace.feedback_count > 0 ? formatCount(trace.feedback_count) : <Dash title="No feedback" />) },
    ...scores.map<GridColumn<FoundTrace>>((name, at) => ({
      id: `score:${name}`,
      header: name,
      title: `Mean score of ${name}`,
      width: 110,
      align: "right",
      sortable: true,
      hiddenAtFirst: at > 0,
      cell: (trace) => {
        const score = trace.scores[name];
        return score === undefined ? <Dash title="Not scored" /> : formatNumber(score, { digits: 3 });
      },
    })),
    { id: "model", header: "Models", width: 140, hiddenAtFirst: true, cell: (trace) => text(trace.models.join(", ") || null, "No model was called") },
    { id: "session", header: "Session", width: 130, hiddenAtFirst: true, cell: (trace) => text(trace.session_id, "Names no session") },
    { id: "user", header: "User", width: 120, hiddenAtFirst: true, cell: (trace) => text(trace.user_id, "Names no user") },
    { id: "mode", header: "Mode", title: "Live traffic, or a run for an evaluation", width: 80, hiddenAtFirst: true, cell: (trace) => trace.mode },
    { id: "service", header: "Service", width: 120, hiddenAtFirst: true, cell: (trace) => text(trace.service, "Names no service") },
    {
      id: "tags",
      header: "Tags",
      width: 130,
      hiddenAtFirst: true,
      cell: (trace) =>
        trace.tags.length === 0 ? (
          <Dash title="No tags" />
        ) : (
          <span className="flex gap-1">
            {trace.tags.map((tag) => (
              <Badge key={tag}>{tag}</Badge>
            ))}
          </span>
        ),
    },
    { id: "trace_id", header: "Trace id", width: 120, hiddenAtFirst: true, cell: (trace) => <span className="font-mono text-xs" title={trace.trace_id}>{trace.trace_id}</span> },
  ];
}
