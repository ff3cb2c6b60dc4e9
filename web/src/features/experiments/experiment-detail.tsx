import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Ban } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { http } from "@/api/client";
import { formatCost, formatCount, formatPoints, shortId } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { type ArmLine, ArmTable } from "./arm-table";
import { ItemsPanel } from "./items-panel";
import { Running } from "./running";
import { type Experiment, experimentQuery, type ExperimentPath, isOpen, refreshExperiments, resultsQuery } from "./queries";

const route = getRouteApi("/w/$workspaceId/experiments/$experimentId");

export function ExperimentDetailPage() {
  const { workspaceId, experimentId } = route.useParams();
  const path = { workspace_id: workspaceId, experiment_id: experimentId };
  const found = useQuery(experimentQuery(path));
  const breadcrumbs = [{ label: "Experiments", to: `/w/${workspaceId}/experiments` }];
  if (!found.data) {
    return (
      <Page title="Experiment" breadcrumbs={breadcrumbs}>
        {found.error ? <ProblemNotice error={found.error} retry={() => void found.refetch()} /> : <SkeletonRows rows={8} label="Loading the experiment" />}
      </Page>
    );
  }
  const experiment = found.data;
  return (
    <Page
      title={
        <>
          <span className="min-w-0 truncate">{experiment.name}</span>
          <StatusBadge status={experiment.status} />
        </>
      }
      documentTitle={experiment.name}
      breadcrumbs={breadcrumbs}
      actions={<Actions path={path} experiment={experiment} />}
    >
      {experiment.failure && <Failure experiment={experiment} />}
      {isOpen(experiment) ? <Running path={path} experiment={experiment} /> : <Results path={path} experiment={experiment} />}
      <Facts workspaceId={workspaceId} experiment={experiment} />
    </Page>
  );
}

function Actions({ path, experiment }: { path: ExperimentPath; experiment: Experiment }) {
  const mayWrite = useMay("write:workspace");
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const cancel = useMutation({
    mutationFn: () => http.POST("/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/cancel", { params: { path } }),
    onSuccess: async () => {
      setAsking(false);
      toast("Experiment cancelled");
      await refreshExperiments(queries);
    },
  });
  const versions = experiment.arms.flatMap(({ version }) => (version === null ? [] : [version]));
  return (
    <>
      {isOpen(experiment) && (
        <Button variant="danger-ghost" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} onClick={() => setAsking(true)}>
          <Ban aria-hidden />
          Cancel
        </Button>
      )}
      {!isOpen(experiment) && mayWrite && !experiment.scan_id && (
        <Button asChild>
          <Link
            to="/w/$workspaceId/experiments/new"
            params={{ workspaceId: path.workspace_id }}
            search={{ agent: experiment.agent_id, set: experiment.sample_set_id, rubric: experiment.rubric_id, versions }}
          >
            Run another like this
          </Link>
        </Button>
      )}
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title="Cancel this experiment?"
        confirmLabel="Cancel the experiment"
        danger
        pending={cancel.isPending}
        error={cancel.error}
        onConfirm={() => cancel.mutate()}
      >
        It stops measuring. What was measured is kept, but there are no intervals over all items. It cannot be taken up again.
      </ConfirmDialog>
    </>
  );
}

function Failure({ experiment }: { experiment: Experiment }) {
  return (
    <div role="alert" className="rounded-md border border-line bg-bad-soft p-3 text-sm text-bad">
      <p className="font-medium">The experiment failed</p>
      <p>{experiment.failure?.detail}</p>
    </div>
  );
}

function Results({ path, experiment }: { path: ExperimentPath; experiment: Experiment }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const results = useQuery(resultsQuery(path));
  const found = new Map(results.data?.results.map((one) => [one.config_hash, one]));
  const lines = experiment.arms.map((arm, index): ArmLine => ({
    key: `${index} ${arm.config_hash}`,
    name: (
      <>
        {arm.label !== `v${arm.version}` && arm.label}
        {arm.version !== null && (
          <Link
            to="/w/$workspaceId/agents/$agentId"
            params={{ workspaceId: path.workspace_id, agentId: experiment.agent_id }}
            className={arm.label === `v${arm.version}` ? "numeric hover:underline" : "numeric text-xs font-normal text-muted underline"}
          >
            v{arm.version}
          </Link>
        )}
      </>
    ),
    summary: arm,
    comparison: index === 0 ? null : (found.get(arm.config_hash) ?? null),
  }));
  return (
    <>
      <Panel
        title="Arms against the baseline"
        padded={false}
        description={
          experiment.margin === null
            ? "Paired by item, 95 % intervals, corrected for the number of arms."
            : `Paired by item, 95 % intervals, corrected for the number of arms. A loss of up to ${formatPoints(experiment.margin).replace("+", "")} is no regression (dashed).`
        }
      >
        {results.error ? (
          <ProblemNotice error={results.error} retry={() => void results.refetch()} className="m-3" />
        ) : results.isPending ? (
          <SkeletonRows rows={experiment.arms.length} label="Loading the results" />
        ) : (
          <ArmTable label="Arms" lines={lines} margin={experiment.margin} />
        )}
      </Panel>
      {experiment.scan_id ? (
        <Panel title="Items">
          <p className="text-sm text-muted">
            What a scan measured is in the scan.{" "}
            <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId: path.workspace_id, scanId: experiment.scan_id }} className="text-accent underline dark:text-series-1">
              Open the scan
            </Link>
          </p>
        </Panel>
      ) : (
        <ItemsPanel
          path={path}
          experiment={experiment}
          search={search}
          onChange={(part, replace = true) => void navigate({ search: (before) => ({ ...before, ...part }), replace })}
        />
      )}
    </>
  );
}

function Facts({ workspaceId, experiment }: { workspaceId: string; experiment: Experiment }) {
  const link = "text-accent underline dark:text-series-1";
  return (
    <Panel title="What was compared, and how">
      <KeyValue
        columns={3}
        items={[
          {
            label: "Samples",
            value: (
              <>
                <Link to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId: experiment.sample_set_id }} search={{ split: experiment.split }} className={link}>
                  {shortId(experiment.sample_set_id)}
                </Link>{" "}
                v{experiment.sample_set_version}, {experiment.split}, {formatCount(experiment.items)} items
              </>
            ),
          },
          {
            label: "Rubric",
            value: (
              <>
                <Link to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: experiment.rubric_id }} className={link}>
                  {shortId(experiment.rubric_id)}
                </Link>{" "}
                v{experiment.rubric_version}
              </>
            ),
          },
          {
            label: "Agent",
            value: (
              <Link to="/w/$workspaceId/agents/$agentId" params={{ workspaceId, agentId: experiment.agent_id }} className={link}>
                {shortId(experiment.agent_id)}
              </Link>
            ),
          },
          { label: "Executed by", value: EXECUTION[experiment.execution] },
          { label: "Repeats", value: `${experiment.repeats} of each item` },
          { label: "Seed", value: String(experiment.seed) },
          { label: "Cost", value: formatCost(experiment.cost_usd) },
          {
            label: "At most",
            value: `${experiment.max_evaluations === null ? "any number of" : formatCount(experiment.max_evaluations)} evaluations${experiment.max_cost_usd === null ? "" : `, ${formatCost(experiment.max_cost_usd)}`}`,
          },
          {
            label: "Items digest",
            value: experiment.items_digest ? (
              <span className="font-mono text-xs" title={experiment.items_digest}>
                {experiment.items_digest.slice(0, 12)}
              </span>
            ) : (
              "unknown"
            ),
          },
          { label: "Created", value: <Time at={experiment.created_at} relative={false} /> },
          { label: "Finished", value: <Time at={experiment.finished_at} relative={false} absent={isOpen(experiment) ? "not yet" : "unknown"} /> },
        ]}
      />
    </Panel>
  );
}

const EXECUTION: Record<Experiment["execution"], string> = {
  native: "the server",
  runner: "the agent's own runner",
  replica: "a replica of the agent, not the agent itself",
  outputs: "somebody else, who brought the outputs",
};
