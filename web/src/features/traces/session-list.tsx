import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Users } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { http } from "@/api/client";
import { DataGrid } from "@/components/data-grid";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { SearchInput } from "@/components/ui/search-input";
import { Select } from "@/components/ui/select";
import { Tabs } from "@/components/ui/tabs";
import { CodeBlock } from "@/components/code-block";
import { quote } from "@/features/traces/filter-expression";
import { type Group, groupColumns, ofSession, ofUser } from "@/features/traces/group-columns";
import { RANGE_LABELS } from "@/features/traces/range-select";
import { RANGES, type SessionListSearch } from "@/features/traces/search";
import { listParams } from "@/features/traces/trace-query";

const route = getRouteApi("/w/$workspaceId/sessions");
const PAGE = 100;
const LATEST = "-last_seen_at";
const keyOf = (group: Group) => group.id;

export function SessionListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const stay = route.useNavigate();
  const navigate = useNavigate();
  const change = (next: Partial<SessionListSearch>) => void stay({ search: (now) => ({ ...now, ...next }), replace: true });
  const by = search.by ?? "sessions";
  const sort = search.sort ?? LATEST;
  const field = by === "sessions" ? "session_id" : "user_id";
  const [at] = useState(() => Date.now());
  const { from } = listParams({ range: search.range }, at);
  const query = { from, sort, filter: search.q ? `${field} ~ ${quote(search.q)}` : undefined };
  const groups = useInfiniteQuery({
    queryKey: ["get", `/api/v1/workspaces/{workspace_id}/traces/${by}`, { workspaceId, query }, "pages"],
    queryFn: async ({ pageParam, signal }) => {
      const init = { params: { path: { workspace_id: workspaceId }, query: { ...query, limit: PAGE, cursor: pageParam } }, signal };
      if (by === "sessions") {
        const { data } = await http.GET("/api/v1/workspaces/{workspace_id}/traces/sessions", init);
        return { pagination: data!.pagination, results: data!.results.map(ofSession) };
      }
      const { data } = await http.GET("/api/v1/workspaces/{workspace_id}/traces/users", init);
      return { pagination: data!.pagination, results: data!.results.map(ofUser) };
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.pagination.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    refetchOnWindowFocus: false,
  });
  const rows = useMemo(() => groups.data?.pages.flatMap((page) => page.results) ?? [], [groups.data]);
  const columns = useMemo(() => groupColumns(by), [by]);
  const open = useCallback(
    (group: Group) =>
      void navigate({ to: "/w/$workspaceId/traces", params: { workspaceId }, search: { filter: `${field} = ${quote(group.id)}`, range: search.range } }),
    [navigate, workspaceId, field, search.range],
  );
  const first = groups.data?.pages[0]?.pagination;
  const none = first !== undefined && rows.length === 0;
  return (
    <Page
      title={by === "sessions" ? "Sessions" : "Users"}
      fill
      actions={first && <ShownOf shown={rows.length} total={Math.max(first.total, rows.length)} totalIsEstimate={first.total_is_estimate} noun={by} />}
      tabs={
        <Tabs
          label="Group traces by"
          value={by}
          onValueChange={(next) => change({ by: next === "sessions" ? undefined : next, sort: undefined })}
          tabs={[
            { value: "sessions", label: "Sessions" },
            { value: "users", label: "Users" },
          ]}
        />
      }
    >
      <div role="tabpanel" aria-label={by === "sessions" ? "Sessions" : "Users"} className="flex min-h-0 flex-1 flex-col">
        <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-2 sm:px-5">
          <SearchInput key={by} value={search.q ?? ""} onValueChange={(q) => change({ q: q || undefined })} label={by === "sessions" ? "Find sessions" : "Find users"} placeholder="Part of the id" />
          <Select
            label="Time range"
            value={search.range ?? ""}
            onValueChange={(next) => change({ range: RANGES.find((range) => range === next) })}
            options={[{ value: "", label: "All time" }, ...RANGES.map((range) => ({ value: range, label: RANGE_LABELS[range] }))]}
            className="w-44"
          />
        </div>
        {groups.error && <ProblemNotice error={groups.error} retry={() => void groups.refetch()} className="m-3" />}
        {none && !search.q && !search.range ? (
          <EmptyState icon={<Users />} title={by === "sessions" ? "No sessions yet" : "No users yet"}>
            <p className="mb-2">Traces come together here when their spans name {by === "sessions" ? "a session" : "a user"}. Set this attribute on the root span:</p>
            <CodeBlock code={by === "sessions" ? 'span.set_attribute("session.id", session_id)' : 'span.set_attribute("user.id", user_id)'} language="python" />
          </EmptyState>
        ) : (
          (groups.data || !groups.error) && (
            <DataGrid
              key={by}
              label={by === "sessions" ? "Sessions" : "Users"}
              rows={rows}
              columns={columns}
              rowKey={keyOf}
              storageKey={by}
              onOpen={open}
              sort={sort.startsWith("-") ? { column: sort.slice(1), direction: "desc" } : { column: sort, direction: "asc" }}
              onSort={(next) => {
                const said = next.direction === "desc" ? `-${next.column}` : next.column;
                change({ sort: said === LATEST ? undefined : said });
              }}
              loading={groups.isFetching && (rows.length === 0 || groups.isFetchingNextPage)}
              hasMore={groups.hasNextPage}
              onNearEnd={() => void groups.fetchNextPage()}
              empty={<EmptyState title={`No ${by} fit`}>Look for another part of the id, or widen the time range.</EmptyState>}
            />
          )
        )}
      </div>
    </Page>
  );
}
