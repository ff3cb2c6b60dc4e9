import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { http } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { CodeBlock } from "@/components/code-block";
import { formatBytes, formatCount, formatNumber, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { KEY_PLACE, MissingContent, environmentText, useHealth } from "@/features/traces/no-traces";

const POLL_MS = 15_000;

/** What came in the last day, what was refused and why, and what the exporter has to be told. */
export function IngestionPanel() {
  const workspaceId = useWorkspaceId();
  const stats = useQuery({
    queryKey: ["get", "/otel/v1/traces/stats", workspaceId],
    queryFn: async ({ signal }) => (await http.GET("/otel/v1/traces/stats", { headers: { "X-Workspace-Id": workspaceId }, signal })).data!,
    refetchInterval: POLL_MS,
  });
  const health = useHealth();
  const rejected = Object.entries(stats.data?.rejected ?? {});
  return (
    <Panel title="What comes in" description="The last 24 hours" padded={false}>
      <MissingContent missing={health.data?.missing_content ?? []} />
      <div className="flex flex-col gap-4 p-3">
        {stats.error ? (
          <ProblemNotice error={stats.error} retry={() => void stats.refetch()} />
        ) : !stats.data ? (
          <SkeletonRows rows={2} label="Loading what came in" />
        ) : (
          <>
            <div className="grid grid-cols-2 gap-4 sm:grid-cols-4">
              <Stat
                label="Spans stored"
                value={formatCount(stats.data.accepted_spans)}
                hint={stats.data.duplicate_spans > 0 ? `${pluralise(stats.data.duplicate_spans, "copy", "copies")} more` : undefined}
              />
              <Stat label="Requests" value={formatCount(stats.data.requests)} hint={formatBytes(stats.data.received_bytes)} />
              <Stat label="Rate" value={`${formatNumber(stats.data.spans_per_second, { digits: 1 })} spans/s`} hint="mean of 5 minutes" />
              <Stat label="Last seen" value={<Time at={stats.data.last_seen_at} absent="never" />} hint={`${formatCount(stats.data.queue_depth)} waiting to be stored`} />
            </div>
            {rejected.length > 0 && (
              <section aria-label="Refused">
                <h3 className="mb-1 text-xs font-medium text-bad">Refused</h3>
                <ul className="numeric flex flex-col gap-0.5 text-xs">
                  {rejected.map(([reason, count]) => (
                    <li key={reason}>
                      {formatCount(count)} × {reason.replaceAll("_", " ")}
                    </li>
                  ))}
                </ul>
              </section>
            )}
          </>
        )}
        {health.data && (
          <section aria-label="Exporter">
            <h3 className="mb-1 text-xs font-medium text-muted">
              What an exporter needs in its environment, with a{" "}
              <Link to="/w/$workspaceId/settings/keys" params={{ workspaceId }} className="text-accent underline dark:text-series-1">
                key
              </Link>{" "}
              in place of <code className="font-mono">{KEY_PLACE}</code>
            </h3>
            <CodeBlock code={environmentText(health.data.connection.environment)} language="shell" maxHeight={180} />
          </section>
        )}
      </div>
    </Panel>
  );
}
