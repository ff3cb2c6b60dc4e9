import { api } from "@/api/client";
import { useAgentPath } from "../use-agent-path";

const PAGE = 100;

type Paged = { pagination: { offset: number; limit: number; total: number } };

const options = {
  pageParamName: "offset",
  initialPageParam: 0,
  getNextPageParam: ({ pagination: { offset, limit, total } }: Paged) => (offset + limit < total ? offset + limit : undefined),
} as const;

/** The versions and promotions of the agent in the address, newest first, page by page. */
export function useHistory() {
  const path = useAgentPath();
  const versions = api.useInfiniteQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs",
    { params: { path, query: { limit: PAGE } } },
    options,
  );
  const promotions = api.useInfiniteQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/promotions",
    { params: { path, query: { limit: PAGE } } },
    options,
  );
  return {
    versions: { items: versions.data?.pages.flatMap((page) => page.results) ?? [], more: versions.hasNextPage },
    promotions: { items: promotions.data?.pages.flatMap((page) => page.results) ?? [], more: promotions.hasNextPage },
    isPending: versions.isPending || promotions.isPending,
    error: versions.error ?? promotions.error,
    isFetchingMore: versions.isFetchingNextPage || promotions.isFetchingNextPage,
    readMore: () => {
      if (versions.hasNextPage) void versions.fetchNextPage();
      if (promotions.hasNextPage) void promotions.fetchNextPage();
    },
    retry: () => {
      void versions.refetch();
      void promotions.refetch();
    },
  };
}
