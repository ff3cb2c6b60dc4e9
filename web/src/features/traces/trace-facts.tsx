import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { cn } from "@/components/cn";
import { formatCount, formatDuration, formatNumber, shortId } from "@/components/format";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { quote } from "@/features/traces/filter-expression";
import { Cost } from "@/features/traces/trace-columns";
import { useAgentNames } from "@/features/traces/trace-query";

const LINK = "rounded-sm text-text underline decoration-line-strong/60 underline-offset-2 hover:decoration-current";

/** The head of a trace in one or two lines: everything with a name, and what leads on is a link. */
export function TraceFacts({ trace, className }: { trace: Schemas["TraceOut"]; className?: string }) {
  const workspaceId = useWorkspaceId();
  const agents = useAgentNames();
  const tokens = trace.input_tokens + trace.output_tokens;
  const tokenParts = [
    `${formatCount(trace.input_tokens)} input`,
    `${formatCount(trace.output_tokens)} output`,
    trace.cache_read_tokens > 0 ? `${formatCount(trace.cache_read_tokens)} read from cache` : null,
    trace.cache_write_tokens > 0 ? `${formatCount(trace.cache_write_tokens)} written to cache` : null,
    trace.reasoning_tokens > 0 ? `${formatCount(trace.reasoning_tokens)} reasoning` : null,
  ].filter((part) => part !== null);
  const by = (field: string, value: string) => ({ filter: `${field} = ${quote(value)}` });
  return (
    <dl className={cn("numeric flex flex-wrap items-center gap-x-4 gap-y-1 text-xs", className)}>
      <Fact name="Started">
        <Time at={trace.started_at} />
      </Fact>
      <Fact name="Latency">{formatDuration(trace.duration_ms)}</Fact>
      <Fact name="Tokens">{tokens === 0 ? "none reported" : <span title={tokenParts.join(", ")}>{formatCount(tokens)}</span>}</Fact>
      <Fact name="Cost">
        <Cost trace={trace} />
      </Fact>
      <Fact name="Spans">
        {formatCount(trace.span_count)}
        {trace.error_count > 0 && <span className="text-bad">, {formatCount(trace.error_count)} failed</span>}
      </Fact>
      {trace.agent_id && (
        <Fact name="Agent">
          {agents.has(trace.agent_id) ? (
            <Link to="/w/$workspaceId/agents/$agentId" params={{ workspaceId, agentId: trace.agent_id }} className={LINK}>
              {agents.get(trace.agent_id)}
            </Link>
          ) : (
            <span title={trace.agent_id}>{shortId(trace.agent_id)}</span>
          )}
          {trace.agent_version && <span className="text-muted"> version {trace.agent_version}</span>}
        </Fact>
      )}
      {trace.models.length > 0 && <Fact name={trace.models.length === 1 ? "Model" : "Models"}>{trace.models.join(", ")}</Fact>}
      {trace.session_id && (
        <Fact name="Session">
          <Link to="/w/$workspaceId/traces" params={{ workspaceId }} search={by("session_id", trace.session_id)} className={LINK} title="All traces of this session">
            {trace.session_id}
          </Link>
        </Fact>
      )}
      {trace.user_id && (
        <Fact name="User">
          <Link to="/w/$workspaceId/traces" params={{ workspaceId }} search={by("user_id", trace.user_id)} className={LINK} title="All traces of this user">
            {trace.user_id}
          </Link>
        </Fact>
      )}
      {trace.service && <Fact name="Service">{trace.service}</Fact>}
      {trace.mode !== "live" && <Fact name="Mode">{trace.mode}</Fact>}
      {Object.entries(trace.scores).map(([name, score]) => (
        <Fact key={name} name={name}>
          {formatNumber(score, { digits: 3 })}
        </Fact>
      ))}
      {trace.tags.length > 0 && (
        <Fact name="Tags">
          <span className="inline-flex flex-wrap gap-1">
            {trace.tags.map((tag) => (
              <Badge key={tag}>{tag}</Badge>
            ))}
          </span>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 items-baseline gap-1.5">
      <dt className="shrink-0 text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}
