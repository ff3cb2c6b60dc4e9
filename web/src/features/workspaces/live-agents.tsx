import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";

/** The agents of the workspace, and which version is live where. */
export function LiveAgents() {
  const workspace_id = useWorkspaceId();
  const agents = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents", {
    params: { path: { workspace_id }, query: { limit: 100 } },
  });
  const list = agents.data?.results.filter((agent) => !agent.archived) ?? [];
  return (
    <Panel title="Agents" padded={list.length === 0}>
      {agents.error !== null ? (
        <ProblemNotice error={agents.error} retry={() => void agents.refetch()} />
      ) : agents.isPending ? (
        <SkeletonRows rows={3} />
      ) : list.length === 0 ? (
        <EmptyState title="No agents yet">They appear by themselves with their first trace.</EmptyState>
      ) : (
        <ul>
          {list.map((agent) => (
            <li key={agent.id} className="border-b last:border-b-0">
              <Link
                to="/w/$workspaceId/agents/$agentId"
                params={{ workspaceId: workspace_id, agentId: agent.id }}
                className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2.5 hover:bg-hover"
              >
                <span className="min-w-32 flex-1 truncate font-medium">{agent.name}</span>
                {Object.entries(agent.live).map(([environment, version]) => (
                  <Badge key={environment} tone={environment === "production" ? "accent" : "neutral"}>
                    {environment} {version}
                  </Badge>
                ))}
                <span className="w-24 text-right text-muted">
                  {agent.last_seen_at === null ? "Never seen" : <Time at={agent.last_seen_at} />}
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
