import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { Actor } from "@/components/actor";
import { EmptyState } from "@/components/empty-state";
import { formatDuration } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const EVERY_MS = 5_000;
const SHOWN = 50;

/** The last runs of one workflow; all of them are one link away, with their filters. */
export function WorkflowRuns({ name }: { name: string }) {
  const workspace_id = useWorkspaceId();
  const runs = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/runs",
    { params: { path: { workspace_id }, query: { workflow: name, limit: SHOWN } } },
    { refetchInterval: EVERY_MS },
  );
  const list = runs.data?.results ?? [];
  return (
    <div className="overflow-y-auto p-3 sm:p-5">
      <Panel
        title="Last runs"
        padded={list.length === 0}
        actions={
          <Link
            to="/w/$workspaceId/runs"
            params={{ workspaceId: workspace_id }}
            search={{ workflow: name }}
            className="px-1 text-accent underline underline-offset-2"
          >
            All of them
          </Link>
        }
      >
        {runs.error !== null ? (
          <ProblemNotice error={runs.error} retry={() => void runs.refetch()} />
        ) : runs.isPending ? (
          <SkeletonRows rows={5} />
        ) : list.length === 0 ? (
          <EmptyState title="It has not run yet" />
        ) : (
          <Table aria-label="Last runs">
            <TableHead>
              <TableRow>
                <TableHeader>Run</TableHeader>
                <TableHeader>Status</TableHeader>
                <TableHeader align="right">Version</TableHeader>
                <TableHeader>Started</TableHeader>
                <TableHeader align="right">Duration</TableHeader>
                <TableHeader>By</TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {list.map((run) => (
                <TableRow key={run.id}>
                  <TableCell>
                    <Link
                      to="/w/$workspaceId/runs/$runId"
                      params={{ workspaceId: workspace_id, runId: run.id }}
                      className="font-mono text-xs text-accent underline-offset-2 hover:underline"
                    >
                      {run.name}
                    </Link>
                  </TableCell>
                  <TableCell>
                    <StatusBadge status={run.status} />
                  </TableCell>
                  <TableCell align="right">{run.workflow_version ?? "–"}</TableCell>
                  <TableCell>
                    <Time at={run.started_at ?? run.created_at} />
                  </TableCell>
                  <TableCell align="right">{run.duration_ms === null ? "–" : formatDuration(run.duration_ms)}</TableCell>
                  <TableCell className="text-muted">
                    <Actor by={run.created_by} />
                  </TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
    </div>
  );
}
