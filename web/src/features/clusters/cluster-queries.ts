import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useWorkspaceId } from "@/api/access";
import { api, type Schemas } from "@/api/client";

export type Cluster = Schemas["ClusterOut"];
export type ClusterDetail = Schemas["ClusterDetailOut"];

export const CLUSTERS = "/api/v1/workspaces/{workspace_id}/changesets/clusters";
export const CLUSTER = "/api/v1/workspaces/{workspace_id}/changesets/clusters/{cluster_id}";

export const MEMBERS_PAGE = 50;

export function useCluster(clusterId: string, offset: number) {
  const workspaceId = useWorkspaceId();
  return api.useQuery("get", CLUSTER, {
    params: { path: { workspace_id: workspaceId, cluster_id: clusterId }, query: { limit: MEMBERS_PAGE, offset } },
  });
}

/** The same cluster as the scan's last change set changed it: only there are fixed and broken counted. */
export function useChangeOfCluster(cluster: Pick<Cluster, "id" | "changeset_id"> | undefined, offset: number) {
  const workspaceId = useWorkspaceId();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/clusters/{cluster_id}",
    {
      params: {
        path: { workspace_id: workspaceId, changeset_id: cluster?.changeset_id ?? "", cluster_id: cluster?.id ?? "" },
        query: { limit: MEMBERS_PAGE, offset },
      },
    },
    { enabled: cluster !== undefined && cluster.changeset_id !== null },
  );
}

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

/** What people say about one cluster may change others, and what a change set says it fixed. */
export function useAfterCuration() {
  const queries = useQueryClient();
  return useCallback(
    () =>
      void queries.invalidateQueries({
        predicate: ({ queryKey }) => typeof queryKey[1] === "string" && queryKey[1].includes("/changesets"),
      }),
    [queries],
  );
}
