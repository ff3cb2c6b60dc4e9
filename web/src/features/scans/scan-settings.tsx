import { Link } from "@tanstack/react-router";
import { api } from "@/api/client";
import { Actor } from "@/components/actor";
import { formatCost, formatCount } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import type { ScanDocument } from "./scan-results";
import { strategyLabel } from "./scan-words";

/** What the scan was started with; nothing of it changes any more. */
export function ScanSettings({ scan, workspaceId }: { scan: ScanDocument; workspaceId: string }) {
  const path = { workspace_id: workspaceId };
  const samples = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/samples/{set_id}", { params: { path: { ...path, set_id: scan.sample_set_id } } });
  const objective = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/evaluations/objectives/{objective_id}", { params: { path: { ...path, objective_id: scan.objective_id } } });
  const { plan, budget } = scan;
  return (
    <>
      <Panel
        title="Started with"
        actions={
          <Button asChild size="sm">
            <Link to="/w/$workspaceId/scans/new" params={{ workspaceId }} search={{ agent: scan.agent_id, samples: scan.sample_set_id, objective: scan.objective_id }}>
              New scan like this
            </Link>
          </Button>
        }
      >
        <KeyValue
          columns={2}
          items={[
            { label: "By", value: <Actor by={scan.created_by} /> },
            { label: "Asked for", value: <Time at={scan.created_at} relative={false} /> },
            { label: "Champion", value: `version ${scan.base_version}, live in ${scan.target_environment}` },
            { label: "Mode", value: scan.mode === "full" ? "full: ends with a look at the holdout" : "search only: proposes and validates nothing" },
            {
              label: "Samples",
              value: (
                <Link className="text-accent hover:underline dark:text-series-1" to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId: scan.sample_set_id }}>
                  {samples.data?.name ?? "the sample set"}, version {scan.sample_set_version}
                </Link>
              ),
            },
            { label: "Holdout", value: scan.holdout_id ? <span className="font-mono text-xs">{scan.holdout_id}</span> : "none asked" },
            {
              label: "Objective",
              value: (
                <Link className="text-accent hover:underline dark:text-series-1" to="/w/$workspaceId/objectives/$objectiveId" params={{ workspaceId, objectiveId: scan.objective_id }}>
                  {objective.data?.name ?? "the objective"}
                </Link>
              ),
            },
            {
              label: "Rubric",
              value: (
                <Link className="text-accent hover:underline dark:text-series-1" to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: scan.rubric_id }}>
                  version {scan.rubric_version}
                </Link>
              ),
            },
            { label: "Strategies", value: scan.strategies.map(strategyLabel).join(", ") },
            { label: "Reflection model", value: scan.reflection_model ?? "none: the built-in proposer" },
            { label: "Seed", value: String(scan.seed) },
            { label: "Repeats", value: `${plan.repeats} of each item` },
            { label: "Budget", value: `${formatCount(budget.max_evaluations)} evaluations${budget.max_cost_usd === null ? "" : ` and ${formatCost(budget.max_cost_usd)}`}` },
            {
              label: "Experiment",
              value: scan.experiment_id ? (
                <Link className="text-accent hover:underline dark:text-series-1" to="/w/$workspaceId/experiments/$experimentId" params={{ workspaceId, experimentId: scan.experiment_id }}>
                  champion and finalists, item by item
                </Link>
              ) : (
                "none yet"
              ),
            },
          ]}
        />
      </Panel>
      <Panel title="Plan" description="How the evaluations were divided before the start; each number is an upper bound.">
        <KeyValue
          columns={3}
          items={[
            { label: "Detect", value: formatCount(plan.detect) },
            { label: "Search", value: formatCount(plan.search) },
            { label: "Compare", value: `${formatCount(plan.evaluate)} for ${formatCount(plan.finalists)} finalists` },
            { label: "Diagnose", value: `${formatCount(plan.diagnose)}, with ${formatCount(plan.ablations)} ablations` },
            { label: "Holdout", value: formatCount(plan.validation) },
            { label: "Together", value: formatCount(plan.max_evaluations) },
          ]}
        />
      </Panel>
    </>
  );
}
