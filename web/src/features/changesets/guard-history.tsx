import { LineChart, type LineSeries } from "@/components/charts/line-chart";
import { formatDateTime, formatNumber } from "@/components/format";
import { Panel } from "@/components/ui/panel";
import type { LiveGuard } from "./evidence-types";

/** Below it, times of day are told with their seconds. */
const SHORT_MS = 600_000;

/** The always-valid interval as it closed, and the scores behind it. */
export function GuardHistory({ guard }: { guard: LiveGuard }) {
  if (guard.history.length === 0) {
    return (
      <Panel title="Effect over time">
        <p className="text-sm text-muted">No session has been counted yet.</p>
      </Panel>
    );
  }
  const [fresh, before] = [guard.arms[0]?.version, guard.arms[1]?.version];
  const effect: LineSeries[] = [
    {
      id: "effect",
      label: "Effect of the new version",
      points: guard.history.map((point) => ({
        x: Date.parse(point.at),
        y: point.mean === null || point.mean_previous === null ? null : point.mean - point.mean_previous,
        low: point.low,
        high: point.high,
      })),
    },
  ];
  const scores: LineSeries[] = [
    {
      id: "new",
      label: `Version ${fresh ?? "new"}`,
      points: guard.history.map((point) => ({ x: Date.parse(point.at), y: point.mean })),
    },
    ...(before === undefined
      ? []
      : [
          {
            id: "before",
            label: `Version ${before}`,
            points: guard.history.map((point) => ({ x: Date.parse(point.at), y: point.mean_previous })),
          },
        ]),
  ];
  const times = guard.history.map((point) => Date.parse(point.at));
  const seconds = Math.max(...times) - Math.min(...times) < SHORT_MS;
  const xFormat = (x: number) => formatDateTime(x, { seconds }).replace(/^.*, /, "");
  return (
    <>
      <Panel title="Effect over time" description="The difference of the mean scores in points, with the interval that is right at all times together">
        <LineChart
          label="Effect of the new version over time"
          series={effect}
          xIsTime
          xFormat={xFormat}
          yFormat={(y) => formatNumber(y * 100, { digits: 1, signed: true })}
          yDomain={[-1, 1]}
          referenceY={{ y: 0, label: "no difference" }}
        />
      </Panel>
      <Panel title="Mean scores over time">
        <LineChart
          label="Mean scores of both versions over time"
          series={scores}
          xIsTime
          xFormat={xFormat}
          yFormat={(y) => formatNumber(y, { digits: 2 })}
          yDomain={[0, 1]}
          height={160}
        />
      </Panel>
    </>
  );
}
