import { api } from "@/api/client";
import { JsonView } from "@/components/json-view";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { SkeletonRows } from "@/components/ui/skeleton";

/** Inputs, context, artifacts, errors and the outputs of every step, as of the last checkpoint. */
export function RunState({ workspaceId, runId, generation }: { workspaceId: string; runId: string; generation: number }) {
  const state = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/runs/{run_id}/state", { params: { path: { workspace_id: workspaceId, run_id: runId } } });
  if (state.error !== null) return <div className="p-3"><ProblemNotice error={state.error} retry={() => void state.refetch()} /></div>;
  if (state.isPending) return <div className="p-3"><SkeletonRows rows={10} /></div>;
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-3 overflow-auto bg-surface p-3" tabIndex={0} role="region" aria-label="State">
      <p className="text-sm text-muted">
        Checkpoint {state.data.index}, <Time at={state.data.updated_at} />
        {state.data.generation !== generation && `. This is generation ${state.data.generation}; earlier states are among the checkpoints`}
      </p>
      <JsonView value={state.data.state} label="State of the run" />
    </div>
  );
}
