import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCost, formatCount, formatDuration, formatPercent } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { Skeleton } from "@/components/ui/skeleton";
import { filled, type Period, PERIODS, STEP_MS, successRate } from "@/features/workspaces/traffic-figures";

const BarChart = lazy(() => import("@/components/charts/bar-chart").then((part) => ({ default: part.BarChart })));

const LATEST_MS = 60_000;

/** What agents did lately: how much, how well, how fast, for how much. */
export function Traffic() {
  const workspace_id = useWorkspaceId();
  const [chosen, setChosen] = useState<Period>("7d");
  const period = PERIODS.find(({ value }) => value === chosen) ?? PERIODS[1];
  // The same range for everybody who asks within a minute, so that it can be kept.
  const [now] = useState(() => Math.floor(Date.now() / LATEST_MS) * LATEST_MS);
  const from = now - period.hours * STEP_MS.hour;
  const usage = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/traces/usage", {
    params: { path: { workspace_id }, query: { from: new Date(from).toISOString(), bucket: period.bucket } },
  });
  const series = usage.data?.series[0];
  const total = series?.total;
  const bars = useMemo(
    () =>
      filled(series?.buckets ?? [], from, now, period.bucket).map(({ at, bucket }) => {
        const { traces = 0, failed_traces: failed = 0 } = bucket?.counts ?? {};
        return { id: String(at), label: labelOf(at, period.bucket), values: { succeeded: traces - failed, failed } };
      }),
    [series, from, now, period.bucket],
  );
  const rate = total === undefined ? null : successRate(total);
  return (
    <Panel
      title="Traffic"
      actions={
        <>
          <Segmented label="Period" value={chosen} onValueChange={setChosen} options={PERIODS} />
          <Link to="/w/$workspaceId/traces" params={{ workspaceId: workspace_id }} className="px-1 text-accent underline underline-offset-2">
            All traces
          </Link>
        </>
      }
    >
      {usage.error !== null ? (
        <ProblemNotice error={usage.error} retry={() => void usage.refetch()} />
      ) : (
        <div className="flex flex-col gap-4">
          <div className="grid grid-cols-2 gap-4 sm:grid-cols-3 lg:grid-cols-5">
            <Stat label="Traces" value={usage.isPending ? <Skeleton className="h-6 w-16" /> : formatCount(total?.traces ?? 0)} />
            <Stat
              label="Without an error"
              value={usage.isPending ? <Skeleton className="h-6 w-16" /> : rate === null ? "–" : formatPercent(rate)}
              hint={total === undefined ? undefined : `${formatCount(total.failed_traces)} failed`}
            />
            <Stat label="Latency, median" value={total?.p50_ms == null ? "–" : formatDuration(total.p50_ms)} hint="of model calls and steps" />
            <Stat label="Latency, 95th percentile" value={total?.p95_ms == null ? "–" : formatDuration(total.p95_ms)} />
            <Stat
              label="Cost"
              value={total === undefined || total.traces === 0 ? "–" : formatCost(total.cost_usd)}
              hint={total !== undefined && total.unpriced_spans > 0 ? `${formatCount(total.unpriced_spans)} calls have no price` : undefined}
            />
          </div>
          <Suspense fallback={<Skeleton className="h-44 w-full" />}>
            <BarChart
              label={`Traces of the last ${period.label}`}
              height={176}
              stacked
              yFormat={(count) => formatCount(count)}
              itemLabel={period.bucket === "hour" ? "Hour" : "Day"}
              items={bars}
              series={[
                { id: "succeeded", label: "Without an error" },
                { id: "failed", label: "Failed", tone: "bad" },
              ]}
            />
          </Suspense>
        </div>
      )}
    </Panel>
  );
}

function labelOf(start: number, bucket: "hour" | "day"): string {
  const at = new Date(start);
  return bucket === "hour"
    ? at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })
    : at.toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
}
