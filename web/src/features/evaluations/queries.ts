import type { QueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";

const EVALUATIONS = "/api/v1/workspaces/{workspace_id}/evaluations";

export interface RubricPath {
  workspace_id: string;
  rubric_id: string;
}

const ALL = { limit: 100 };

export function rubricListQuery(workspaceId: string) {
  return api.queryOptions("get", `${EVALUATIONS}/rubrics`, { params: { path: { workspace_id: workspaceId }, query: ALL } });
}

export function rubricQuery(path: RubricPath, version?: number) {
  return api.queryOptions("get", `${EVALUATIONS}/rubrics/{rubric_id}`, { params: { path, query: { version } } });
}

export function versionsQuery(path: RubricPath) {
  return api.queryOptions("get", `${EVALUATIONS}/rubrics/{rubric_id}/versions`, { params: { path, query: ALL } });
}

export function calibrationQuery(path: RubricPath) {
  return api.queryOptions("get", `${EVALUATIONS}/rubrics/{rubric_id}/calibration`, { params: { path } });
}

export function onlineListQuery(workspaceId: string) {
  return api.queryOptions(
    "get",
    `${EVALUATIONS}/online`,
    { params: { path: { workspace_id: workspaceId }, query: ALL } },
    { refetchInterval: 15_000 },
  );
}

export function objectiveListQuery(workspaceId: string) {
  return api.queryOptions("get", `${EVALUATIONS}/objectives`, { params: { path: { workspace_id: workspaceId }, query: ALL } });
}

export function objectiveQuery(workspaceId: string, objectiveId: string) {
  return api.queryOptions("get", `${EVALUATIONS}/objectives/{objective_id}`, {
    params: { path: { workspace_id: workspaceId, objective_id: objectiveId } },
  });
}

export function agentsQuery(workspaceId: string) {
  return api.queryOptions(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents",
    { params: { path: { workspace_id: workspaceId }, query: ALL } },
    { staleTime: 60_000 },
  );
}

/** Whatever was read about rubrics, objectives and online evaluations is asked for again. */
export function refreshEvaluations(queries: QueryClient): Promise<void> {
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => typeof queryKey[1] === "string" && queryKey[1].startsWith(EVALUATIONS),
  });
}
