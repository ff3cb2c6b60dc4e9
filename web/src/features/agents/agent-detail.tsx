import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { api, type Schemas } from "@/api/client";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { AgentActions } from "./agent-actions";
import { runtimeKind } from "./runtime/settings";
import type { AgentTab } from "./search";
import { VersionsTab } from "./versions/versions-tab";

const EditTab = lazy(() => import("./edit-tab").then((module) => ({ default: module.EditTab })));
const TemplatesTab = lazy(() => import("./templates/templates-tab").then((module) => ({ default: module.TemplatesTab })));
const PlaygroundTab = lazy(() => import("./playground/playground-tab").then((module) => ({ default: module.PlaygroundTab })));
const RuntimeTab = lazy(() => import("./runtime/runtime-tab").then((module) => ({ default: module.RuntimeTab })));
const SearchSpaceTab = lazy(() => import("./search-space-tab").then((module) => ({ default: module.SearchSpaceTab })));

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

export function AgentDetailPage() {
  const { workspaceId, agentId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const path = { workspace_id: workspaceId, agent_id: agentId };
  const agent = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}", { params: { path } });
  const templates = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/templates", {
    params: { path, query: { limit: 100 } },
  });
  const crumbs = [{ label: "Agents", to: `/w/${workspaceId}/agents` }];
  if (agent.error) {
    return (
      <Page title="Agent" breadcrumbs={crumbs}>
        <ProblemNotice error={agent.error} retry={() => void agent.refetch()} />
      </Page>
    );
  }
  if (agent.isPending) {
    return (
      <Page title={<Skeleton className="h-6 w-52" />} documentTitle="Agent" breadcrumbs={crumbs}>
        <SkeletonRows rows={8} label="Loading the agent" />
      </Page>
    );
  }
  const tab = search.tab ?? "versions";
  return (
    <Page
      title={<Title agent={agent.data} />}
      documentTitle={agent.data.name}
      description={<Facts agent={agent.data} />}
      breadcrumbs={crumbs}
      actions={<AgentActions agent={agent.data} />}
      tabs={
        <Tabs<AgentTab>
          label="About the agent"
          value={tab}
          onValueChange={(next) =>
            void navigate({ search: ({ version }) => ({ tab: next === "versions" ? undefined : next, version: next === "templates" ? undefined : version }) })
          }
          tabs={[
            { value: "versions", label: "Versions", count: agent.data.latest_version ?? 0 },
            { value: "edit", label: "Edit" },
            { value: "templates", label: "Templates", count: templates.data?.pagination.total },
            { value: "playground", label: "Playground" },
            { value: "runtime", label: "Runtime" },
            { value: "search-space", label: "Search space" },
          ]}
        />
      }
    >
      <TabPanel value={tab} className="flex flex-col gap-4">
        <Suspense fallback={<SkeletonRows rows={8} />}>
          <TabContent tab={tab} agent={agent.data} />
        </Suspense>
      </TabPanel>
    </Page>
  );
}

function TabContent({ tab, agent }: { tab: AgentTab; agent: Schemas["AgentOut"] }) {
  switch (tab) {
    case "versions":
      return <VersionsTab agent={agent} />;
    case "edit":
      return <EditTab agent={agent} />;
    case "templates":
      return <TemplatesTab agent={agent} />;
    case "playground":
      return <PlaygroundTab agent={agent} />;
    case "runtime":
      return <RuntimeTab agent={agent} />;
    case "search-space":
      return <SearchSpaceTab agent={agent} />;
  }
}

function Title({ agent }: { agent: Schemas["AgentOut"] }) {
  return (
    <>
      <span className="truncate">{agent.name}</span>
      {agent.archived && <Badge tone="warn">Archived</Badge>}
      {agent.status === "observed" && <Badge title="Only seen in traces so far: nobody has created or adopted it">Observed</Badge>}
    </>
  );
}

function Facts({ agent }: { agent: Schemas["AgentOut"] }) {
  const kind = runtimeKind(agent.runtime);
  return (
    <div className="flex flex-col">
      {agent.description && <span>{agent.description}</span>}
      <span className="text-xs">
        <span title={kind.hint}>
          {agent.runtime === "observed" ? "Only observed" : `${kind.label} runtime`}
          {agent.runtime_settings.replica === true && ", a replica"}
        </span>
        {" · "}
        last seen in traces <Time at={agent.last_seen_at} absent="never" />
        {agent.external_key !== null && agent.external_key !== agent.name && (
          <>
            {" · "}spans call it <span className="font-mono">{agent.external_key}</span>
          </>
        )}
      </span>
    </div>
  );
}
