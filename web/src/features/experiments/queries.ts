import { keepPreviousData, type QueryClient } from "@tanstack/react-query";
import { api, type Schemas } from "@/api/client";

const LIST = "/api/v1/workspaces/{workspace_id}/changesets/experiments";
const ONE = "/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}";
const RESULTS = "/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/results";
const COMPARE = "/api/v1/workspaces/{workspace_id}/changesets/experiments/compare";

export const PAGE = 50;
const POLL_MS = 1_500;

export interface ExperimentPath {
  workspace_id: string;
  experiment_id: string;
}

export type Experiment = Schemas["ExperimentOut"];

/** Whether it is still going on. */
export function isOpen({ status }: Pick<Experiment, "status">): boolean {
  return status === "waiting" || status === "queued" || status === "running";
}

export function experimentListQuery(workspaceId: string, filter: { agent_id?: string; scan_id?: string; offset: number }) {
  return api.queryOptions(
    "get",
    LIST,
    { params: { path: { workspace_id: workspaceId }, query: { limit: PAGE, ...filter } } },
    {
      placeholderData: keepPreviousData,
      refetchInterval: ({ state }) => (state.data?.results.some(isOpen) ? POLL_MS : false),
    },
  );
}

export function experimentQuery(path: ExperimentPath) {
  return api.queryOptions(
    "get",
    ONE,
    { params: { path } },
    { refetchInterval: ({ state }) => (state.data && isOpen(state.data) ? POLL_MS : false) },
  );
}

export function resultsQuery(path: ExperimentPath) {
  return api.queryOptions("get", RESULTS, { params: { path, query: { limit: 100 } } }, { staleTime: Number.POSITIVE_INFINITY });
}

export function compareQuery(workspaceId: string, ids: readonly string[]) {
  return api.queryOptions("get", COMPARE, { params: { path: { workspace_id: workspaceId }, query: { ids: ids.join(",") } } }, { retry: false });
}

export function agentsQuery(workspaceId: string) {
  return api.queryOptions(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents",
    { params: { path: { workspace_id: workspaceId }, query: { limit: 100 } } },
    { staleTime: 60_000 },
  );
}

export function refreshExperiments(queries: QueryClient): Promise<void> {
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => typeof queryKey[1] === "string" && queryKey[1].startsWith(LIST),
  });
}
