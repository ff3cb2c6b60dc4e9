import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { IntervalValue } from "@/components/interval-value";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";

const OPEN = new Set(["proposed", "validating", "validated", "inconclusive", "accepted"]);
const SHOWN = 8;

/** The change sets that wait for somebody's decision, newest first. */
export function ToReview() {
  const workspace_id = useWorkspaceId();
  const changesets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/changesets", {
    params: { path: { workspace_id }, query: { limit: 50 } },
  });
  const agents = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents", {
    params: { path: { workspace_id }, query: { limit: 100 } },
  });
  const names = new Map(agents.data?.results.map((agent) => [agent.id, agent.name]));
  const open = changesets.data?.results.filter((one) => OPEN.has(one.state)) ?? [];
  return (
    <Panel
      title="Change sets to review"
      padded={open.length === 0}
      actions={
        <Link to="/w/$workspaceId/changesets" params={{ workspaceId: workspace_id }} className="px-1 text-accent underline underline-offset-2">
          All change sets
        </Link>
      }
    >
      {changesets.error !== null ? (
        <ProblemNotice error={changesets.error} retry={() => void changesets.refetch()} />
      ) : changesets.isPending ? (
        <SkeletonRows rows={3} />
      ) : open.length === 0 ? (
        <EmptyState title="Nothing waits for you">A scan proposes a change set when it has found something better.</EmptyState>
      ) : (
        <ul>
          {open.slice(0, SHOWN).map((one) => (
            <li key={one.id} className="border-b last:border-b-0">
              <Link
                to="/w/$workspaceId/changesets/$changesetId"
                params={{ workspaceId: workspace_id, changesetId: one.id }}
                className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2.5 hover:bg-hover"
              >
                <span className="min-w-40 flex-1 truncate font-medium">
                  {names.get(one.agent_id) ?? "Agent"}{" "}
                  <span className="numeric font-normal text-muted">
                    version {one.base_version} → {one.candidate_version}
                  </span>
                </span>
                {one.effect_95 !== null && one.effect_95.low !== null && one.effect_95.high !== null && (
                  <IntervalValue value={one.effect_95.mean} low={one.effect_95.low} high={one.effect_95.high} as="points" />
                )}
                <StatusBadge status={one.state} />
                <span className="w-24 text-right text-muted">
                  <Time at={one.created_at} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
