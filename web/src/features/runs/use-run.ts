import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { api, type Schemas } from "@/api/client";
import { nodeFinder } from "./graph-states";
import { hasEndedStep } from "./run-events";
import { isPlatformRun } from "./run-standing";
import { useRunEvents } from "./use-run-events";

const REREAD_MS = 500;
const FIRST_STEPS = 100;

/** A run as the API tells it, and its events as they come; these say when that is worth reading again. */
export function useRun(workspaceId: string, runId: string) {
  const queries = useQueryClient();
  const options = api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/runs/{run_id}", { params: { path: { workspace_id: workspaceId, run_id: runId } } });
  const run = useQuery(options);
  const { life, stream, error: streamError } = useRunEvents(workspaceId, runId, run.data?.generation);

  const reread = useCallback(
    () => queries.invalidateQueries({ predicate: ({ queryKey }) => isOfRun(queryKey, runId) }),
    [queries, runId],
  );
  const { queryKey } = options;
  /** The run as an action's answer tells it; whatever else has changed is read. */
  const take = (after: Schemas["RunOut"]) => {
    queries.setQueryData(queryKey, after);
    void reread();
  };
  // At most so often, however many events come.
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const told = run.data?.last_seq;
  useEffect(() => {
    // What the run's document knows of already is only replayed.
    if (told === undefined || life.lastSeq <= told) return;
    timer.current ??= setTimeout(() => {
      timer.current = null;
      void reread();
    }, REREAD_MS);
  }, [life.lastSeq, told, reread]);
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
      timer.current = null;
    },
    [],
  );
  return { run, life, stream, streamError, reread, take };
}

function isOfRun(queryKey: readonly unknown[], runId: string): boolean {
  const [, path, options] = queryKey;
  // What is written in a checkpoint stays.
  if (typeof path !== "string" || !path.includes("/runs/{run_id}") || path.endsWith("/{index}")) return false;
  const { params } = (options ?? {}) as { params?: { path?: { run_id?: string } } };
  return params?.path?.run_id === runId;
}

/** The graph of the run's version, where it has one, and what kind each step is. */
export function useRunGraph(workspaceId: string, run: Schemas["RunOut"] | undefined) {
  const named = run !== undefined && !isPlatformRun(run) && run.workflow !== null && run.workflow_version !== null;
  const dag = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/workflows/{name}/dag",
    { params: { path: { workspace_id: workspaceId, name: run?.workflow ?? "" }, query: { version: run?.workflow_version } } },
    { enabled: named, staleTime: Number.POSITIVE_INFINITY },
  );
  const without = run !== undefined && (!named || dag.isError);
  const steps = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/runs/{run_id}/steps",
    { params: { path: { workspace_id: workspaceId, run_id: run?.id ?? "" }, query: { limit: FIRST_STEPS } } },
    { enabled: without },
  );
  const nodes = dag.data?.nodes;
  const nodeOf = useMemo(() => nodeFinder(nodes ?? []), [nodes]);
  const kindOf = useMemo(() => {
    const kinds = new Map([...(nodes ?? []).map(({ id, type }) => [id, type] as const), ...(steps.data?.results ?? []).map(({ key, kind }) => [key, kind] as const)]);
    return (key: string) => kinds.get(nodeOf(key) ?? key) ?? null;
  }, [nodes, nodeOf, steps.data]);
  const branched = named && (run.parent?.kind === "fork" || run.parent?.kind === "replay");
  const start = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/runs/{run_id}/checkpoints/{index}",
    { params: { path: { workspace_id: workspaceId, run_id: run?.id ?? "", index: 0 } } },
    { enabled: branched, staleTime: Number.POSITIVE_INFINITY },
  );
  const startState = start.data?.state;
  const before = useMemo(() => endedIn(startState), [startState]);
  return { dag: dag.data, pending: named && dag.isPending, nodeOf, kindOf, before };
}

/** How the steps ended that had ended in a state. */
function endedIn(state: { [key: string]: unknown } | undefined): ReadonlyMap<string, string> {
  const nodes = Object.entries((state?.nodes ?? {}) as Record<string, { status?: unknown }>);
  return new Map(nodes.flatMap(([key, { status }]) => (typeof status === "string" && hasEndedStep(status) ? [[key, status]] : [])));
}
