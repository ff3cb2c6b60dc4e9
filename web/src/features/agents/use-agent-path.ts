import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

/** The path parameters of everything below this agent. */
export function useAgentPath(): { workspace_id: string; agent_id: string } {
  const { workspaceId, agentId } = route.useParams();
  return { workspace_id: workspaceId, agent_id: agentId };
}

const AGENTS = "/api/v1/workspaces/{workspace_id}/agents";

/** Reads everything about agents again: after a write, more than one of them says something else. */
export function useRefreshAgents(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ predicate: ({ queryKey }) => typeof queryKey[1] === "string" && queryKey[1].startsWith(AGENTS) });
}
