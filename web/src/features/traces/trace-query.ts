/** The list of traces as it is asked for: page by page, and never again on its own. */

import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { api, http, type Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { type FilterToken, parseFilter } from "@/features/traces/filter-expression";
import { isDeep } from "@/features/traces/filter-input";
import type { Range, TraceNarrowing } from "@/features/traces/search";

export type FoundTrace = Schemas["FoundTraceOut"];

const LIST = "/api/v1/workspaces/{workspace_id}/traces";
const PAGE = 100;
const POLL_MS = 10_000;
const EMPTY_POLL_MS = 5_000;
/** A deep search reads on by itself until there is something to look at, but not for ever. */
const DEEP_ROWS = 50;
const DEEP_REQUESTS = 30;

const RANGE_MS: Record<Range, number> = {
  "15m": 15 * 60_000,
  "1h": 3_600_000,
  "6h": 6 * 3_600_000,
  "24h": 86_400_000,
  "7d": 7 * 86_400_000,
  "30d": 30 * 86_400_000,
};

export interface ListParams {
  q?: string;
  filter?: string;
  from?: string;
  to?: string;
}

/** `at`: when the list was asked for, so that all its pages mean the same span of time. */
export function listParams(search: TraceNarrowing, at: number): ListParams {
  const from = search.range ? new Date(at - RANGE_MS[search.range]).toISOString() : search.from;
  return { q: search.q, filter: search.filter, from, to: search.range ? undefined : search.to };
}

export function usePinnedParams(search: TraceNarrowing): { params: ListParams; tokens: FilterToken[]; renew: () => void; at: number } {
  const [at, setAt] = useState(() => Date.now());
  const { q, filter, range, from, to } = search;
  const params = useMemo(() => listParams({ q, filter, range, from, to }, at), [q, filter, range, from, to, at]);
  const tokens = useMemo(() => parseFilter(filter), [filter]);
  return { params, tokens, renew: () => setAt(Date.now()), at };
}

export function useTracePages(params: ListParams, sort: string | undefined, at: number) {
  const workspaceId = useWorkspaceId();
  const deep = useMemo(() => isDeep(parseFilter(params.filter)), [params.filter]);
  const query = { ...params, sort: deep ? undefined : sort };
  const pages = useInfiniteQuery({
    queryKey: ["get", LIST, { workspaceId, query, at }, "pages"],
    queryFn: async ({ pageParam, signal }) => {
      const answer = await http.GET(LIST, {
        params: { path: { workspace_id: workspaceId }, query: { ...query, limit: PAGE, cursor: pageParam } },
        signal,
      });
      return answer.data!;
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.pagination.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    // A thousand pages are neither compared nor asked for again because somebody looked away.
    structuralSharing: false,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    // Whoever has just sent the first one waits for it here.
    refetchInterval: ({ state }) => (!deep && state.data?.pages[0]?.results.length === 0 ? EMPTY_POLL_MS : false),
  });
  const rows = useMemo(() => pages.data?.pages.flatMap((page) => page.results) ?? [], [pages.data]);
  const count = pages.data?.pages.length ?? 0;
  const { hasNextPage, isFetching, isError, fetchNextPage } = pages;
  useEffect(() => {
    if (deep && hasNextPage && !isFetching && !isError && rows.length < DEEP_ROWS && count < DEEP_REQUESTS) void fetchNextPage();
  }, [deep, hasNextPage, isFetching, isError, rows.length, count, fetchNextPage]);
  return { pages, rows, deep, first: pages.data?.pages[0], last: pages.data?.pages.at(-1) };
}

/** How many came since the newest in the list; the list itself stays as it is. */
export function useNewTraces(params: ListParams, newest: FoundTrace | undefined, when: boolean): number {
  const workspaceId = useWorkspaceId();
  const since = newest && `started_at > "${newest.started_at}"`;
  const filter = [params.filter && `(${params.filter})`, since].filter(Boolean).join(" and ");
  const found = api.useQuery(
    "get",
    LIST,
    { params: { path: { workspace_id: workspaceId }, query: { q: params.q, filter, limit: 1 } } },
    { enabled: when && newest !== undefined, refetchInterval: POLL_MS, staleTime: POLL_MS / 2, retry: false },
  );
  return when ? (found.data?.pagination.total ?? 0) : 0;
}

/** Values, counts and fields; in the list's own narrowing, except for what is deep. */
export function useFilters(params: ListParams) {
  const workspaceId = useWorkspaceId();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/traces/filters",
    { params: { path: { workspace_id: workspaceId }, query: params } },
    { placeholderData: keepPreviousData, staleTime: 30_000 },
  );
}

/** Ids of agents are for machines: their names, as far as they are agents of this workspace. */
export function useAgentNames(): ReadonlyMap<string, string> {
  const workspaceId = useWorkspaceId();
  const { data } = useQuery(
    api.queryOptions(
      "get",
      "/api/v1/workspaces/{workspace_id}/agents",
      { params: { path: { workspace_id: workspaceId }, query: { limit: 100 } } },
      { staleTime: 60_000 },
    ),
  );
  return useMemo(() => new Map(data?.results.map((agent) => [agent.id, agent.name])), [data]);
}

/** After something was deleted or scored: what is shown of traces is asked for again. */
export function useTracesChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    await queries.invalidateQueries({
      predicate: ({ queryKey }) =>
        typeof queryKey[1] === "string" && queryKey[1].startsWith(LIST) && queryKey[3] !== "pages",
    });
  };
}
