import { getRouteApi, Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { api } from "@/api/client";
import { Actor } from "@/components/actor";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { useMedia } from "@/components/use-media";

const DiffView = lazy(() => import("@/components/editor/diff-view").then((part) => ({ default: part.DiffView })));
const VERSION = "/api/v1/workspaces/{workspace_id}/workflows/{name}/versions/{version}";
const route = getRouteApi("/w/$workspaceId/workflows/$name");

/** Every version, and what one says that the one before it did not. */
export function WorkflowVersions({ name, latest }: { name: string; latest: number }) {
  const { workspaceId } = route.useParams();
  const { version, against } = route.useSearch();
  const navigate = route.useNavigate();
  const versions = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/workflows/{name}/versions", {
    params: { path: { workspace_id: workspaceId, name }, query: { limit: 100 } },
  });
  return (
    <div className="flex flex-col gap-4 overflow-y-auto p-3 sm:p-5">
      <Panel title="Versions" padded={false}>
        {versions.error !== null ? (
          <ProblemNotice error={versions.error} retry={() => void versions.refetch()} />
        ) : versions.isPending ? (
          <SkeletonRows rows={4} />
        ) : (
          <Table aria-label="Versions">
            <TableHead>
              <TableRow>
                <TableHeader align="right">Version</TableHeader>
                <TableHeader>Stored</TableHeader>
                <TableHeader>By</TableHeader>
                <TableHeader>Digest</TableHeader>
                <TableHeader>
                  <span className="sr-only">Actions</span>
                </TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {versions.data.results.map((one) => (
                <TableRow key={one.id} selected={against !== undefined && one.version === (version ?? latest)}>
                  <TableCell align="right">{one.version}</TableCell>
                  <TableCell>
                    <Time at={one.created_at} />
                  </TableCell>
                  <TableCell className="text-muted">
                    <Actor by={one.created_by} />
                  </TableCell>
                  <TableCell className="font-mono text-xs text-muted">{one.digest.slice(0, 12)}</TableCell>
                  <TableCell align="right">
                    <span className="flex justify-end gap-1">
                      <Button asChild size="sm" variant="ghost">
                        <Link
                          to="/w/$workspaceId/workflows/$name"
                          params={{ workspaceId, name }}
                          search={{ version: one.version === latest ? undefined : one.version }}
                        >
                          Read
                        </Link>
                      </Button>
                      <Button
                        size="sm"
                        variant="ghost"
                        disabled={one.version === 1}
                        onClick={() => void navigate({ search: { tab: "versions", version: one.version, against: one.version - 1 } })}
                      >
                        What changed
                      </Button>
                    </span>
                  </TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
      {against !== undefined && <Difference name={name} before={against} after={version ?? latest} />}
    </div>
  );
}

function Difference({ name, before, after }: { name: string; before: number; after: number }) {
  const { workspaceId } = route.useParams();
  const wide = useMedia("(min-width: 1024px)");
  const of = (version: number) => ({ params: { path: { workspace_id: workspaceId, name, version } } });
  const old = api.useQuery("get", VERSION, of(before), { staleTime: Infinity });
  const now = api.useQuery("get", VERSION, of(after), { staleTime: Infinity });
  const problem = old.error ?? now.error;
  return (
    <Panel title={`Version ${before} → ${after}`} padded={false}>
      {problem !== null ? (
        <ProblemNotice error={problem} />
      ) : old.data === undefined || now.data === undefined ? (
        <Skeleton className="h-48" />
      ) : (
        <Suspense fallback={<Skeleton className="h-48" />}>
          <DiffView
            label={`What changed from version ${before} to ${after}`}
            language="yaml"
            layout={wide ? "split" : "unified"}
            before={old.data.source}
            after={now.data.source}
          />
        </Suspense>
      )}
    </Panel>
  );
}
