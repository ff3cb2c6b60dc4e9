import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";

const EVERY_MS = 15_000;

/** What W/health says: the connection of agents, and what needs somebody. */
export function useHealth() {
  const workspace_id = useWorkspaceId();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/health",
    { params: { path: { workspace_id } } },
    { refetchInterval: EVERY_MS },
  );
}
