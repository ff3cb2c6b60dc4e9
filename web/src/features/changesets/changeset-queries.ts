import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import type { ChangesetDetail } from "./evidence-types";

export const CHANGESETS = "/api/v1/workspaces/{workspace_id}/changesets";
const CHANGESET = "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}";

/** A look takes seconds to minutes; a guard counts sessions for hours. */
const WHILE_LOOKING_MS = 2_000;
const WHILE_GUARDED_MS = 20_000;

export function useChangeset(changesetId: string) {
  const workspaceId = useWorkspaceId();
  return api.useQuery(
    "get",
    CHANGESET,
    { params: { path: { workspace_id: workspaceId, changeset_id: changesetId } } },
    { refetchInterval: ({ state }) => refreshEvery(state.data) },
  );
}

function refreshEvery(changeset: ChangesetDetail | undefined): number | false {
  if (!changeset) return false;
  if (changeset.state === "validating") return WHILE_LOOKING_MS;
  const { guard } = changeset;
  return guard && (guard.state === "running" || guard.state === "alerting") ? WHILE_GUARDED_MS : false;
}

/** The looks at the holdout of this change set, newest first. */
export function useLooks(changesetId: string, isRunning: boolean) {
  const workspaceId = useWorkspaceId();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/validation",
    { params: { path: { workspace_id: workspaceId, changeset_id: changesetId }, query: { limit: 20 } } },
    { refetchInterval: isRunning ? WHILE_LOOKING_MS : false },
  );
}

export function useHoldout(setId: string, holdoutId: string | null) {
  const workspaceId = useWorkspaceId();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/samples/{set_id}/holdouts/{holdout_id}",
    { params: { path: { workspace_id: workspaceId, set_id: setId, holdout_id: holdoutId ?? "" } } },
    { enabled: holdoutId !== null },
  );
}

export function useAgent(agentId: string) {
  const workspaceId = useWorkspaceId();
  return api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}", {
    params: { path: { workspace_id: workspaceId, agent_id: agentId } },
  });
}

/** All agents by id, as far as one page of them goes. */
export function useAgentNames(): ReadonlyMap<string, string> {
  const workspaceId = useWorkspaceId();
  const { data } = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents",
    { params: { path: { workspace_id: workspaceId }, query: { limit: 100, sort: "name" } } },
    { staleTime: 60_000 },
  );
  return useMemo(() => new Map(data?.results.map((agent) => [agent.id, agent.name])), [data]);
}

/** Whatever a decision changes is read again; the change set itself is what the server has just answered. */
export function useAfterDecision(changesetId: string) {
  const workspaceId = useWorkspaceId();
  const queries = useQueryClient();
  return useCallback(
    async (answer?: ChangesetDetail) => {
      const path = { workspace_id: workspaceId, changeset_id: changesetId };
      const { queryKey } = api.queryOptions("get", CHANGESET, { params: { path } });
      const readAgain = (paths: RegExp) =>
        queries.invalidateQueries({
          predicate: ({ queryKey: [method, route] }) => method === "get" && typeof route === "string" && paths.test(route),
        });
      // First what is live: beside the new state an old answer to that would be told as if it were true.
      await readAgain(/\/agents\/\{agent_id\}$/);
      if (answer) queries.setQueryData(queryKey, answer);
      else await queries.invalidateQueries({ queryKey });
      void queries.invalidateQueries({ queryKey: ["get", CHANGESETS] });
      void readAgain(/\/validation$|\/holdouts|\/audit-log$|\/workspaces\/\{workspace_id\}\/health$|\/agents/);
    },
    [queries, workspaceId, changesetId],
  );
}
