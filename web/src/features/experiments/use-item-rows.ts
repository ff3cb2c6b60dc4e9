import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { http } from "@/api/client";
import { type ItemRow, rowOf } from "./item-rows";
import type { ExperimentPath } from "./queries";

const PAGE = 100;

export interface ItemRows {
  rows: readonly ItemRow[];
  /** How many items there are, read or not; null until the first page is there. */
  total: number | null;
  reading: boolean;
  error: unknown;
  retry: () => void;
}

/** Every item of an experiment, page after page: a filter that saw only some would count wrong. */
export function useItemRows(path: ExperimentPath, arms: number, when: boolean): ItemRows {
  const pages = useInfiniteQuery({
    queryKey: ["get", "/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/results/items", path],
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await http.GET("/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/results/items", {
        params: { path, query: { limit: PAGE, offset: pageParam } },
        signal,
      });
      return data!;
    },
    initialPageParam: 0,
    getNextPageParam: ({ pagination: { offset, limit, total } }) => (offset + limit < total ? offset + limit : undefined),
    enabled: when,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = pages;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  const rows = useMemo(
    () => pages.data?.pages.flatMap(({ results }) => results.map((item) => rowOf(item, arms))) ?? [],
    [pages.data, arms],
  );
  return {
    rows,
    total: pages.data?.pages[0]?.pagination.total ?? null,
    reading: when && (pages.isPending || hasNextPage),
    error: pages.error,
    retry: () => void (pages.data ? fetchNextPage() : pages.refetch()),
  };
}
