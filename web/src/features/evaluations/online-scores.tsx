import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { http } from "@/api/client";
import { formatPercent, shortId } from "@/components/format";
import { ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

export function OnlineScores({ workspaceId, onlineId }: { workspaceId: string; onlineId: string }) {
  const path = { workspace_id: workspaceId, online_id: onlineId };
  const pages = useInfiniteQuery({
    queryKey: ["get", "/api/v1/workspaces/{workspace_id}/evaluations/online/{online_id}/scores", path],
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await http.GET("/api/v1/workspaces/{workspace_id}/evaluations/online/{online_id}/scores", {
        params: { path, query: { limit: 25, cursor: pageParam ?? undefined } },
        signal,
      });
      return data!;
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ pagination }) => pagination.next_cursor,
  });
  if (pages.error) return <ProblemNotice error={pages.error} retry={() => void pages.refetch()} className="mt-3" />;
  if (!pages.data) return <SkeletonRows rows={3} label="Loading scores" className="mt-3" />;
  const scores = pages.data.pages.flatMap(({ results }) => results);
  const pagination = pages.data.pages[0]?.pagination;
  if (scores.length === 0) return <p className="mt-3 text-sm text-muted">Nothing was scored yet.</p>;
  return (
    <div className="mt-3 flex flex-col gap-2 border-t border-line pt-1">
      <div className="max-h-96 overflow-y-auto">
        <Table aria-label="Scores, newest first">
          <TableHead>
            <tr>
              <TableHeader>Trace</TableHeader>
              <TableHeader align="right">Total</TableHeader>
              <TableHeader>Passed</TableHeader>
              <TableHeader>Why</TableHeader>
              <TableHeader align="right">Version</TableHeader>
              <TableHeader>Scored</TableHeader>
            </tr>
          </TableHead>
          <TableBody>
            {scores.map((one) => (
              <TableRow key={one.id}>
                <TableCell>
                  <Link to="/w/$workspaceId/traces/$traceId" params={{ workspaceId, traceId: one.trace_id }} className="font-mono text-xs underline">
                    {shortId(one.trace_id)}
                  </Link>
                </TableCell>
                <TableCell align="right">{one.total === null ? <span className="text-warn">missing</span> : formatPercent(one.total)}</TableCell>
                <TableCell>{one.passed === null ? <span className="text-muted">–</span> : <Badge tone={one.passed ? "good" : "bad"}>{one.passed ? "Passed" : "Not passed"}</Badge>}</TableCell>
                <TableCell className="max-w-md truncate text-xs text-muted">
                  {one.error ??
                    Object.entries(one.dimensions)
                      .map(([name, found]) => `${name}: ${found.error ?? found.explanation}`)
                      .join("; ")}
                </TableCell>
                <TableCell align="right">{one.rubric_version}</TableCell>
                <TableCell className="whitespace-nowrap text-muted">
                  <Time at={one.scored_at} />
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </div>
      <div className="flex items-center justify-between">
        <ShownOf shown={scores.length} total={pagination?.total} totalIsEstimate={pagination?.total_is_estimate} noun="scores" />
        {pages.hasNextPage && (
          <Button size="sm" pending={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            Show more
          </Button>
        )}
      </div>
    </div>
  );
}
