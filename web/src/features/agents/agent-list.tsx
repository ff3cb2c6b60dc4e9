import { getRouteApi } from "@tanstack/react-router";
import { keepPreviousData } from "@tanstack/react-query";
import { Bot, Plus } from "lucide-react";
import { lazy, type ReactNode, Suspense } from "react";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { Pagination } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { AgentTable } from "./agent-table";

const CreateAgentDialog = lazy(() => import("./create-agent").then((module) => ({ default: module.CreateAgentDialog })));

const route = getRouteApi("/w/$workspaceId/agents");
const PAGE = 50;

const EXPORTER = [
  `export OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}/otel`,
  "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
  "export OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20sk_live_…",
  "export OTEL_RESOURCE_ATTRIBUTES=spectral.agent.id=my-agent",
].join("\n");

type View = "all" | "managed" | "observed" | "archived";

export function AgentListPage() {
  const workspaceId = useWorkspaceId();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const offset = search.offset ?? 0;
  const sort = search.sort ?? "name";
  const view: View = search.archived ? "archived" : (search.status ?? "all");
  const agents = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents",
    {
      params: {
        path: { workspace_id: workspaceId },
        query: { limit: PAGE, offset, sort, archived: search.archived ?? false, status: search.status ?? null },
      },
    },
    { placeholderData: keepPreviousData },
  );
  const show = (next: View) =>
    void navigate({
      search: ({ sort: kept }) => ({
        sort: kept,
        archived: next === "archived" ? true : undefined,
        status: next === "managed" || next === "observed" ? next : undefined,
      }),
    });
  const setCreating = (create: boolean) => void navigate({ search: (before) => ({ ...before, create: create || undefined }) });
  const createButton = (
    <Button variant="primary" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} onClick={() => setCreating(true)}>
      <Plus aria-hidden />
      Create agent
    </Button>
  );
  return (
    <Page title="Agents" description="What answers your users: its versions, what is live where, and who executes it." actions={createButton}>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Segmented<View>
          label="Which agents"
          value={view}
          onValueChange={show}
          options={[
            { value: "all", label: "All" },
            { value: "managed", label: "Managed", hint: "Created, adopted or given a config" },
            { value: "observed", label: "Observed", hint: "Only seen in traces so far" },
            { value: "archived", label: "Archived" },
          ]}
        />
        <Select
          label="Order"
          size="sm"
          className="w-40"
          value={sort}
          onValueChange={(next) => void navigate({ search: (before) => ({ ...before, sort: next, offset: undefined }) })}
          options={[
            { value: "name", label: "Name, A to Z" },
            { value: "-name", label: "Name, Z to A" },
            { value: "-created_at", label: "Newest first" },
            { value: "created_at", label: "Oldest first" },
          ]}
        />
      </div>
      {agents.error ? (
        <ProblemNotice error={agents.error} retry={() => void agents.refetch()} />
      ) : (
        <Panel padded={false}>
          {agents.isPending ? (
            <SkeletonRows rows={6} rowHeight={48} label="Loading agents" />
          ) : agents.data.results.length > 0 ? (
            <AgentTable agents={agents.data.results} />
          ) : (
            <NoAgents view={view} action={createButton} />
          )}
        </Panel>
      )}
      {agents.data && agents.data.pagination.total > PAGE && (
        <Pagination
          {...agents.data.pagination}
          onOffsetChange={(next) => void navigate({ search: (before) => ({ ...before, offset: next || undefined }) })}
        />
      )}
      {search.create && mayWrite && (
        <Suspense>
          <CreateAgentDialog open onOpenChange={setCreating} />
        </Suspense>
      )}
    </Page>
  );
}

function NoAgents({ view, action }: { view: View; action: ReactNode }) {
  if (view === "archived") return <EmptyState icon={<Bot />} title="No agent is archived" />;
  if (view === "managed") return <EmptyState icon={<Bot />} title="No agent is managed yet" actions={action} />;
  return (
    <EmptyState icon={<Bot />} title={view === "observed" ? "No agent has been observed" : "No agent yet"} actions={action}>
      <div className="flex flex-col gap-2">
        <p>
          Agents appear by themselves once traces name them. Give your program an API key of the workspace and the name of its agent, and send
          a trace:
        </p>
        <CodeBlock
          language="Shell"
          code={EXPORTER}
        />
        <p>Or create one here, with a config that the platform runs.</p>
      </div>
    </EmptyState>
  );
}
