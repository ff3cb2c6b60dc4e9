import { getRouteApi, Link } from "@tanstack/react-router";
import { Workflow } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import { api } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SearchInput } from "@/components/ui/search-input";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const route = getRouteApi("/w/$workspaceId/workflows");

export function WorkflowListPage() {
  const { workspaceId } = route.useParams();
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const path = { workspace_id: workspaceId };
  const workflows = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/workflows", {
    params: { path, query: { search: q, limit: 100 } },
  });
  const examples = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/workflows/examples", {
    params: { path, query: { limit: 100 } },
  });
  const list = workflows.data?.results ?? [];
  return (
    <Page
      title="Workflows"
      actions={
        mayWrite ? (
          <Button asChild variant="primary">
            <Link to="/w/$workspaceId/workflows/new" params={{ workspaceId }}>
              New workflow
            </Link>
          </Button>
        ) : (
          <Button variant="primary" disabled title={lacking("write:workspace")}>
            New workflow
          </Button>
        )
      }
    >
      <SearchInput
        label="Search workflows"
        placeholder="Name or description"
        value={q ?? ""}
        onValueChange={(next) => void navigate({ search: { q: next || undefined }, replace: true })}
      />
      {workflows.data?.broken_files.map(({ file, errors }) => (
        <Panel key={file} title={`${file} is not a workflow`}>
          <ul className="text-bad">
            {errors.map((error) => (
              <li key={`${error.line} ${error.column} ${error.code}`}>
                Line {error.line}, column {error.column}: {error.detail}
              </li>
            ))}
          </ul>
        </Panel>
      ))}
      <Panel padded={list.length === 0}>
        {workflows.error !== null ? (
          <ProblemNotice error={workflows.error} retry={() => void workflows.refetch()} />
        ) : workflows.isPending ? (
          <SkeletonRows rows={4} />
        ) : list.length === 0 ? (
          <EmptyState icon={<Workflow aria-hidden />} title={q === undefined ? "No workflows yet" : "No workflow fits"}>
            {q === undefined && "Begin with one of the examples below; each runs as it is."}
          </EmptyState>
        ) : (
          <Table aria-label="Workflows">
            <TableHead>
              <TableRow>
                <TableHeader>Name</TableHeader>
                <TableHeader>Description</TableHeader>
                <TableHeader align="right">Version</TableHeader>
                <TableHeader>Changed</TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {list.map((one) => (
                <TableRow key={one.id}>
                  <TableCell>
                    <span className="flex items-center gap-2">
                      <Link
                        to="/w/$workspaceId/workflows/$name"
                        params={{ workspaceId, name: one.name }}
                        className="font-medium text-accent underline-offset-2 hover:underline"
                      >
                        {one.name}
                      </Link>
                      {one.origin !== "api" && <Badge>{one.origin}</Badge>}
                    </span>
                  </TableCell>
                  <TableCell className="text-muted">{one.description}</TableCell>
                  <TableCell align="right">{one.version}</TableCell>
                  <TableCell>
                    <Time at={one.updated_at} />
                  </TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
      {examples.data !== undefined && (
        <Panel title="Examples">
          <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
            {examples.data.results.map((one) => (
              <li key={one.name}>
                <Link
                  to="/w/$workspaceId/workflows/new"
                  params={{ workspaceId }}
                  search={{ example: one.name }}
                  className="flex h-full flex-col gap-1 rounded-md border p-3 hover:bg-hover"
                >
                  <span className="font-medium">{one.name}</span>
                  <span className="text-muted">{one.description}</span>
                </Link>
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </Page>
  );
}
