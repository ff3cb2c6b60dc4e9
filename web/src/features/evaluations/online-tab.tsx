import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pause, Play, Plus, Radio, Trash2 } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking } from "@/api/access";
import { http, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCost, formatCount, formatPercent } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { OnlineDialog } from "./online-dialog";
import { OnlineScores } from "./online-scores";
import { agentsQuery, onlineListQuery, refreshEvaluations, type RubricPath } from "./queries";
import type { RubricDetailSearch } from "./search";

type Online = Schemas["OnlineEvaluationOut"];

interface OnlineTabProps {
  path: RubricPath;
  rubric: Schemas["RubricOut"];
  search: RubricDetailSearch;
  onChange: (part: Partial<RubricDetailSearch>) => void;
  mayWrite: boolean;
}

export function OnlineTab({ path, rubric, search, onChange, mayWrite }: OnlineTabProps) {
  const found = useQuery(onlineListQuery(path.workspace_id));
  const agents = useQuery(agentsQuery(path.workspace_id));
  const mine = found.data?.results.filter(({ rubric_id }) => rubric_id === rubric.id);
  const create = (
    <Button variant="primary" size="sm" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} onClick={() => onChange({ open: "online" })}>
      <Plus aria-hidden />
      Run on new traces
    </Button>
  );
  return (
    <>
      {found.error ? (
        <ProblemNotice error={found.error} retry={() => void found.refetch()} />
      ) : !mine ? (
        <SkeletonRows rows={4} label="Loading online evaluations" />
      ) : mine.length === 0 ? (
        <Panel>
          <EmptyState icon={<Radio />} title="The rubric does not run on new traces" actions={create}>
            It can score a share of them by itself, within a budget a day. Sending traces never waits for it, and traces of evaluations are left out.
          </EmptyState>
        </Panel>
      ) : (
        <>
          <div>{create}</div>
          {mine.map((one) => (
            <OnlineEvaluation
              key={one.id}
              workspaceId={path.workspace_id}
              online={one}
              agentName={agents.data?.results.find(({ id }) => id === one.filter.agent_id)?.name}
              mayWrite={mayWrite}
              scoresOpen={search.online === one.id}
              onScores={(open) => onChange({ online: open ? one.id : undefined })}
            />
          ))}
        </>
      )}
      <OnlineDialog path={path} rubric={rubric} open={search.open === "online" && mayWrite} onClose={() => onChange({ open: undefined })} />
    </>
  );
}

interface OnlineEvaluationProps {
  workspaceId: string;
  online: Online;
  agentName: string | undefined;
  mayWrite: boolean;
  scoresOpen: boolean;
  onScores: (open: boolean) => void;
}

function OnlineEvaluation({ workspaceId, online, agentName, mayWrite, scoresOpen, onScores }: OnlineEvaluationProps) {
  const queries = useQueryClient();
  const [deleting, setDeleting] = useState(false);
  const params = { path: { workspace_id: workspaceId, online_id: online.id } };
  const pause = useMutation({
    mutationFn: () => http.PATCH("/api/v1/workspaces/{workspace_id}/evaluations/online/{online_id}", { params, body: { enabled: !online.enabled } }),
    onSuccess: async () => {
      await refreshEvaluations(queries);
      toast(online.enabled ? `${online.name} paused` : `${online.name} runs again`);
    },
  });
  const remove = useMutation({
    mutationFn: () => http.DELETE("/api/v1/workspaces/{workspace_id}/evaluations/online/{online_id}", { params }),
    onSuccess: async () => {
      setDeleting(false);
      toast(`${online.name} deleted`);
      await refreshEvaluations(queries);
    },
  });
  const { figures, budget, filter } = online;
  const why = mayWrite ? undefined : lacking("write:workspace");
  const narrowing = [
    filter.agent_id && `agent ${agentName ?? filter.agent_id}`,
    filter.agent_version && `version ${filter.agent_version}`,
    filter.mode && `mode ${filter.mode}`,
    filter.name && `named ${filter.name}`,
  ].filter(Boolean);
  return (
    <Panel
      title={
        <span className="inline-flex items-center gap-2">
          <span className="font-mono">eval/{online.name}</span>
          <Badge tone={online.enabled ? "good" : "neutral"} dot>
            {online.enabled ? "Running" : "Paused"}
          </Badge>
        </span>
      }
      description={`${formatPercent(online.sampling_rate)} of ${narrowing.length > 0 ? narrowing.join(", ") : "all traces"}, ${online.target === "trace" ? "the whole trace" : "its last model call"}, by ${online.rubric_version === null ? "the latest version" : `version ${online.rubric_version}`}`}
      actions={
        <>
          <Button size="sm" aria-expanded={scoresOpen} onClick={() => onScores(!scoresOpen)}>
            {scoresOpen ? "Hide scores" : "Scores"}
          </Button>
          <Button size="sm" disabled={!mayWrite} title={why} pending={pause.isPending} onClick={() => pause.mutate()}>
            {online.enabled ? <Pause aria-hidden /> : <Play aria-hidden />}
            {online.enabled ? "Pause" : "Resume"}
          </Button>
          <Button size="icon" variant="danger-ghost" aria-label={`Delete ${online.name}`} disabled={!mayWrite} title={why ?? "Delete"} onClick={() => setDeleting(true)}>
            <Trash2 aria-hidden />
          </Button>
        </>
      }
    >
      {pause.error !== null && <ProblemNotice error={pause.error} className="mb-3" />}
      <div className="grid grid-cols-2 gap-4 sm:grid-cols-3 lg:grid-cols-6">
        <Stat label="Evaluated" value={formatCount(figures.evaluated)} hint="since it exists" />
        <Stat label="Not scorable" value={formatCount(figures.failed)} tone={figures.failed > 0 ? "warn" : "neutral"} />
        <Stat label="Skipped" value={formatCount(figures.skipped_by_sampling + figures.skipped_by_budget)} hint={`${formatCount(figures.skipped_by_budget)} by the budget`} />
        <Stat label="Today (UTC)" value={formatCount(figures.evaluations_today)} hint={`of ${formatCount(budget.max_evaluations)}`} />
        <Stat label="Spent today" value={formatCost(figures.spent_today_usd)} hint={budget.max_cost_usd === null ? "no bound" : `of ${formatCost(budget.max_cost_usd)}`} />
        <Stat label="Last run" value={<span className="text-sm font-normal"><Time at={figures.last_run_at} absent="never" /></span>} />
      </div>
      {scoresOpen && <OnlineScores workspaceId={workspaceId} onlineId={online.id} />}
      <ConfirmDialog open={deleting} onOpenChange={setDeleting} title={`Delete ${online.name}?`} confirmLabel="Delete" danger pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()}>
        It stops scoring new traces. What it scored stays with the traces.
      </ConfirmDialog>
    </Panel>
  );
}
