import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useBlocker } from "@tanstack/react-router";
import { MoreHorizontal, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { http } from "@/api/client";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Menu } from "@/components/ui/menu";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { DeleteObjectiveDialog } from "./delete-dialogs";
import { draftOfObjective, objectiveBody, objectiveProblems, type Objective } from "./objective-draft";
import { ObjectiveEditor } from "./objective-editor";
import { ObjectivePreview } from "./objective-preview";
import { objectiveQuery, refreshEvaluations } from "./queries";
import type { ObjectiveDetailSearch } from "./search";

const route = getRouteApi("/w/$workspaceId/objectives/$objectiveId");

export function ObjectiveDetailPage() {
  const { workspaceId, objectiveId } = route.useParams();
  const found = useQuery(objectiveQuery(workspaceId, objectiveId));
  if (found.data) return <ObjectivePage key={`${objectiveId} ${found.data.updated_at}`} workspaceId={workspaceId} objective={found.data} />;
  return (
    <Page title="Objective" breadcrumbs={[{ label: "Objectives", to: `/w/${workspaceId}/objectives` }]}>
      {found.error ? <ProblemNotice error={found.error} retry={() => void found.refetch()} /> : <SkeletonRows rows={6} label="Loading the objective" />}
    </Page>
  );
}

function ObjectivePage({ workspaceId, objective }: { workspaceId: string; objective: Objective }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace");
  const [start] = useState(() => draftOfObjective(objective));
  const [draft, setDraft] = useState(start);
  const [tried, setTried] = useState(false);
  const problems = objectiveProblems(draft);
  const dirty = JSON.stringify(draft) !== JSON.stringify(start);
  useBlocker({ shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname && !confirm("Leave without saving the objective?"), enableBeforeUnload: dirty });
  const change = (part: Partial<ObjectiveDetailSearch>) => void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const save = useMutation({
    mutationFn: () =>
      http.PUT("/api/v1/workspaces/{workspace_id}/evaluations/objectives/{objective_id}", {
        params: { path: { workspace_id: workspaceId, objective_id: objective.id } },
        body: objectiveBody(draft),
      }),
    onSuccess: async () => {
      toast("Objective saved");
      await refreshEvaluations(queries);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (problems.length === 0 && dirty && !save.isPending) save.mutate();
  };
  const why = mayWrite ? undefined : lacking("write:workspace");
  return (
    <Page
      title={objective.name}
      description={objective.description}
      breadcrumbs={[{ label: "Objectives", to: `/w/${workspaceId}/objectives` }]}
      actions={
        <Menu
          label="More about this objective"
          trigger={
            <Button variant="ghost" size="icon" aria-label="More about this objective">
              <MoreHorizontal aria-hidden />
            </Button>
          }
          items={[{ label: "Delete the objective…", icon: <Trash2 aria-hidden />, danger: true, disabled: !mayWrite, title: why, onSelect: () => change({ open: "delete" }) }]}
        />
      }
    >
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1.4fr)_minmax(0,1fr)]">
        <Panel
          title="What counts"
          description="Scans, experiments and validations that run keep what it said when they started."
          actions={
            <>
              {dirty && (
                <Button size="sm" variant="ghost" onClick={() => setDraft(start)}>
                  Discard
                </Button>
              )}
              <Button size="sm" variant="primary" type="submit" form="objective" disabled={!mayWrite || !dirty} title={why} pending={save.isPending}>
                Save
              </Button>
            </>
          }
        >
          <form id="objective" onSubmit={submit} className="flex flex-col gap-3">
            {save.error !== null && <ProblemNotice error={save.error} />}
            {tried && problems.length > 0 && (
              <ul role="alert" className="text-sm text-bad">
                {problems.map((problem) => (
                  <li key={problem}>{problem}</li>
                ))}
              </ul>
            )}
            <ObjectiveEditor workspaceId={workspaceId} draft={draft} onChange={setDraft} disabled={!mayWrite} />
          </form>
        </Panel>
        <ObjectivePreview workspaceId={workspaceId} objective={objective} dirty={dirty} search={search} onChange={change} />
      </div>
      <DeleteObjectiveDialog
        workspaceId={workspaceId}
        objective={objective}
        open={search.open === "delete" && mayWrite}
        onOpenChange={(open) => change({ open: open ? "delete" : undefined })}
        onDeleted={() => void navigate({ to: "/w/$workspaceId/objectives", params: { workspaceId } })}
      />
    </Page>
  );
}
