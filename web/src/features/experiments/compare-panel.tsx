import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { formatCount, formatPoints, shortId } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { type ArmLine, ArmTable } from "./arm-table";
import { compareQuery } from "./queries";

/** The arms of several experiments on the items that all of them share. */
export function ComparePanel({ workspaceId, ids }: { workspaceId: string; ids: readonly string[] }) {
  const found = useQuery(compareQuery(workspaceId, ids));
  if (found.error) return <ProblemNotice error={found.error} />;
  const comparison = found.data;
  const named = (label: string, version: number | null, experimentId: string) => (
    <>
      {label}
      {version !== null && <span className="numeric text-xs font-normal text-muted">v{version}</span>}
      <Link
        to="/w/$workspaceId/experiments/$experimentId"
        params={{ workspaceId, experimentId }}
        className="font-mono text-2xs font-normal text-muted underline"
        title={experimentId}
      >
        {shortId(experimentId, 6)}
      </Link>
    </>
  );
  const lines: ArmLine[] = comparison
    ? [
        {
          key: "baseline",
          name: named(comparison.baseline.label, comparison.baseline.version, comparison.baseline_experiment_id),
          summary: comparison.baseline,
          comparison: null,
        },
        ...comparison.arms.map((arm): ArmLine => ({
          key: `${arm.experiment_id} ${arm.config_hash}`,
          name: named(arm.label, arm.version, arm.experiment_id),
          summary: arm.summary,
          comparison: arm,
        })),
      ]
    : [];
  return (
    <Panel
      title="Comparison"
      padded={false}
      description={
        comparison
          ? `${formatCount(comparison.items)} items that all of them share (${comparison.split}), by the first one's objective, against its baseline. Margin ${formatPoints(comparison.margin)}.`
          : undefined
      }
    >
      {comparison ? <ArmTable label="Arms of all chosen experiments" lines={lines} margin={comparison.margin} /> : <SkeletonRows rows={3} label="Comparing" />}
    </Panel>
  );
}
