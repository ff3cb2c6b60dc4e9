import { keepPreviousData, type QueryClient } from "@tanstack/react-query";
import { api, type Schemas } from "@/api/client";
import type { SampleSetDetailSearch } from "./search";

const SETS = "/api/v1/workspaces/{workspace_id}/samples";
const SET = "/api/v1/workspaces/{workspace_id}/samples/{set_id}";
const ITEMS = "/api/v1/workspaces/{workspace_id}/samples/{set_id}/items";
const ITEM = "/api/v1/workspaces/{workspace_id}/samples/{set_id}/items/{item_id}";
const HOLDOUTS = "/api/v1/workspaces/{workspace_id}/samples/{set_id}/holdouts";

export const PAGE = 100;

export interface SetPath {
  workspace_id: string;
  set_id: string;
}

export type ItemFilter = Pick<SampleSetDetailSearch, "split" | "frozen">;

export function setListQuery(workspaceId: string, offset: number) {
  return api.queryOptions(
    "get",
    SETS,
    { params: { path: { workspace_id: workspaceId }, query: { limit: PAGE, offset } } },
    { placeholderData: keepPreviousData },
  );
}

export function setQuery(path: SetPath) {
  return api.queryOptions("get", SET, { params: { path } });
}

export function itemPageQuery(path: SetPath, filter: ItemFilter, page: number) {
  const frozen = filter.frozen === undefined ? undefined : filter.frozen === "yes";
  return api.queryOptions(
    "get",
    ITEMS,
    { params: { path, query: { limit: PAGE, offset: page * PAGE, split: filter.split, frozen } } },
    { staleTime: 60_000 },
  );
}

export function itemQuery(path: SetPath, itemId: string) {
  return api.queryOptions("get", ITEM, { params: { path: { ...path, item_id: itemId } } });
}

/** What a list has said of an item already: shown until the item itself is read. */
export function listedItem(queries: QueryClient, itemId: string | undefined): Schemas["SampleOut"] | undefined {
  for (const [, page] of queries.getQueriesData<Schemas["Collection_SampleOut_"]>({ queryKey: ["get", ITEMS] })) {
    const item = page?.results.find(({ id }) => id === itemId);
    if (item) return item;
  }
  return undefined;
}

export function holdoutsQuery(path: SetPath) {
  return api.queryOptions("get", HOLDOUTS, { params: { path, query: { limit: PAGE } } });
}

/** Whatever was read about sample sets is asked for again. */
export function refreshSamples(queries: QueryClient): Promise<void> {
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => typeof queryKey[1] === "string" && queryKey[1].startsWith(SETS),
  });
}
