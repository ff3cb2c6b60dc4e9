import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { MoreHorizontal } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, authorisedFetch, http, type Schemas } from "@/api/client";
import { download } from "@/components/download";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Menu } from "@/components/ui/menu";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Tabs } from "@/components/ui/tabs";
import { type WorkflowTab, WORKFLOW_TABS } from "@/features/workflows/search";
import { StartRun } from "@/features/workflows/start-run";
import { WorkflowEditor } from "@/features/workflows/workflow-editor";
import { WorkflowRuns } from "@/features/workflows/workflow-runs";
import { WorkflowVersions } from "@/features/workflows/workflow-versions";

const ONE = "/api/v1/workspaces/{workspace_id}/workflows/{name}";
const VERSION = "/api/v1/workspaces/{workspace_id}/workflows/{name}/versions/{version}";
const LABELS: Record<WorkflowTab, string> = { definition: "Definition", runs: "Runs", versions: "Versions" };
const route = getRouteApi("/w/$workspaceId/workflows/$name");

export function WorkflowDetailPage() {
  const { workspaceId, name } = route.useParams();
  const { tab = "definition", version } = route.useSearch();
  const navigate = route.useNavigate();
  const path = { workspace_id: workspaceId, name };
  const workflow = api.useQuery("get", ONE, { params: { path } });
  const shown = version ?? workflow.data?.version;
  const document = api.useQuery(
    "get",
    VERSION,
    { params: { path: { ...path, version: shown ?? 1 } } },
    // A version never changes.
    { enabled: shown !== undefined, staleTime: Infinity },
  );
  const [starting, setStarting] = useState(false);
  const mayWrite = useMay("write:workspace");

  if (workflow.error !== null) {
    return (
      <Page title={name}>
        <ProblemNotice error={workflow.error} retry={() => void workflow.refetch()} />
      </Page>
    );
  }
  const isLatest = version === undefined || version === workflow.data?.version;
  return (
    <Page
      title={
        <>
          {name}
          {shown !== undefined && <Badge>version {shown}</Badge>}
          {!isLatest && <Badge tone="warn">not the latest</Badge>}
        </>
      }
      documentTitle={name}
      description={workflow.data?.description}
      breadcrumbs={[{ label: "Workflows", to: `/w/${workspaceId}/workflows` }, { label: name }]}
      fill
      tabs={
        <Tabs
          label="Parts of the workflow"
          value={tab}
          tabs={WORKFLOW_TABS.map((value) => ({ value, label: LABELS[value] }))}
          onValueChange={(next) => void navigate({ search: (now) => ({ ...now, tab: next === "definition" ? undefined : next }) })}
        />
      }
      actions={
        <>
          <WorkflowMenu name={name} workflow={workflow.data} version={shown} />
          <Button
            variant="primary"
            disabled={!mayWrite || shown === undefined}
            title={mayWrite ? undefined : lacking("write:workspace")}
            onClick={() => setStarting(true)}
          >
            Run…
          </Button>
        </>
      }
    >
      {document.error !== null ? (
        <div className="p-5">
          <ProblemNotice error={document.error} retry={() => void document.refetch()} />
        </div>
      ) : document.data === undefined || workflow.data === undefined ? (
        <SkeletonRows rows={8} />
      ) : tab === "runs" ? (
        <WorkflowRuns name={name} />
      ) : tab === "versions" ? (
        <WorkflowVersions name={name} latest={workflow.data.version} />
      ) : (
        <Definition key={document.data.id} document={document.data} origin={workflow.data.origin} isLatest={isLatest} />
      )}
      {starting && shown !== undefined && (
        <StartRun
          name={name}
          version={shown}
          onClose={() => setStarting(false)}
          onStarted={(run) => void navigate({ to: "/w/$workspaceId/runs/$runId", params: { workspaceId, runId: run.id } })}
        />
      )}
    </Page>
  );
}

type DefinitionProps = { document: Schemas["WorkflowVersionOut"]; origin: string; isLatest: boolean };

/** The text of a version. The latest may be edited, which makes another version. */
function Definition({ document, origin, isLatest }: DefinitionProps) {
  const { workspaceId, name } = route.useParams();
  const { node } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace") && origin === "api" && isLatest;
  const [source, setSource] = useState(document.source);
  const changed = source !== document.source;
  const store = useMutation({
    mutationFn: async () =>
      (await http.PUT(ONE, { params: { path: { workspace_id: workspaceId, name } }, body: { source } })).data!,
    onSuccess: async (stored) => {
      toast.success(stored.changed ? `Version ${stored.version} is stored` : "It is the same as before: no new version");
      await queries.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[1]).includes("/workflows") });
      await navigate({ search: (now) => ({ ...now, version: undefined }) });
    },
  });
  return (
    <>
      {(changed || store.error !== null) && (
        <div className="flex flex-wrap items-center gap-3 border-b bg-info-soft px-5 py-2">
          <span className="flex-1 text-info">Not stored yet. Runs that go on keep the version that they began with.</span>
          <Button size="sm" onClick={() => setSource(document.source)}>
            Discard
          </Button>
          <Button size="sm" variant="primary" pending={store.isPending} onClick={() => store.mutate()}>
            Store as a new version
          </Button>
          {store.error !== null && (
            <div className="w-full">
              <ProblemNotice error={store.error} />
            </div>
          )}
        </div>
      )}
      {origin !== "api" && <p className="border-b px-5 py-2 text-muted">It is read from the server's folder; change the file there.</p>}
      <WorkflowEditor
        source={source}
        onSource={mayWrite ? setSource : undefined}
        onSave={mayWrite && changed ? () => store.mutate() : undefined}
        selected={node}
        onSelect={(id) => void navigate({ search: (now) => ({ ...now, node: id }), replace: true })}
      />
    </>
  );
}

type MenuProps = { name: string; workflow: Schemas["WorkflowOut"] | undefined; version: number | undefined };

function WorkflowMenu({ name, workflow, version }: MenuProps) {
  const { workspaceId } = route.useParams();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace");
  const [deleting, setDeleting] = useState(false);
  const exporting = useMutation({
    mutationFn: async () => {
      const path = `/api/v1/workspaces/${workspaceId}/workflows/${encodeURIComponent(name)}/source?version=${version}`;
      const answer = await authorisedFetch(new Request(new URL(path, location.origin)));
      download(await answer.blob(), `${name}.${workflow?.format ?? "yaml"}`);
    },
    onError: (error) => toast.error(error.message),
  });
  const remove = useMutation({
    mutationFn: () => http.DELETE(ONE, { params: { path: { workspace_id: workspaceId, name } } }),
    onSuccess: async () => {
      toast.success(`${name} is deleted`);
      await navigate({ to: "/w/$workspaceId/workflows", params: { workspaceId } });
      await queries.invalidateQueries({ queryKey: ["get", "/api/v1/workspaces/{workspace_id}/workflows"] });
    },
  });
  return (
    <>
      <Menu
        label="More"
        trigger={
          <Button size="icon" variant="ghost" aria-label="More">
            <MoreHorizontal aria-hidden />
          </Button>
        }
        items={[
          { label: "Download the document", disabled: version === undefined, onSelect: () => exporting.mutate() },
          "separator",
          {
            label: "Delete…",
            danger: true,
            disabled: !mayWrite || workflow?.origin !== "api",
            title: mayWrite ? undefined : lacking("write:workspace"),
            onSelect: () => setDeleting(true),
          },
        ]}
      />
      <ConfirmDialog
        open={deleting}
        onOpenChange={setDeleting}
        title={`Delete ${name}`}
        confirmLabel="Delete"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate()}
      >
        <p>It cannot be started any more. Its runs keep their versions, and go on.</p>
        <p>
          <Link to="/w/$workspaceId/runs" params={{ workspaceId }} search={{ workflow: name }} className="text-accent underline">
            Its runs
          </Link>
        </p>
      </ConfirmDialog>
    </>
  );
}
