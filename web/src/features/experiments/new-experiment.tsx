import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, http, idempotencyKey } from "@/api/client";
import { formatCount } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { ArmsEditor } from "./arms-editor";
import { armDraft, bodyOf, executionsOf, type ExperimentDraft, LEAST_ITEMS, problemsOf } from "./experiment-draft";
import { agentsQuery, refreshExperiments } from "./queries";

const route = getRouteApi("/w/$workspaceId/experiments/new");

export function NewExperimentPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace");
  const [key] = useState(idempotencyKey);
  const [tried, setTried] = useState(false);
  const [draft, setDraft] = useState<ExperimentDraft>(() => ({
    name: "",
    agentId: search.agent,
    arms: (search.versions ?? [undefined, undefined]).map((version, index) => armDraft(index, version)),
    setId: search.set,
    split: "select",
    rubricId: search.rubric,
    objectiveId: search.objective,
    execution: "agent",
    repeats: "1",
    margin: "",
    maxEvaluations: "",
    maxCostUsd: "",
    seed: "0",
  }));
  const change = (part: Partial<ExperimentDraft>) => setDraft((before) => ({ ...before, ...part }));

  const path = { params: { path: { workspace_id: workspaceId }, query: { limit: 100 } } };
  const agents = useQuery(agentsQuery(workspaceId));
  const sets = useQuery(api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/samples", path));
  const rubrics = useQuery(api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/evaluations/rubrics", path));
  const objectives = useQuery(api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/evaluations/objectives", path));
  const unread = [agents, sets, rubrics, objectives].find(({ error }) => error !== null);

  const problems = problemsOf(draft);
  const shown = tried ? problems : {};
  const start = useMutation({
    mutationFn: async () => {
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/changesets/experiments", {
        params: { path: { workspace_id: workspaceId } },
        headers: { "Idempotency-Key": key },
        body: bodyOf(draft),
      });
      return data!;
    },
    onSuccess: async ({ id, name }) => {
      toast(`Experiment ${name} started`);
      void refreshExperiments(queries);
      await navigate({ to: "/w/$workspaceId/experiments/$experimentId", params: { workspaceId, experimentId: id } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length === 0 && !start.isPending) start.mutate();
  };

  const set = sets.data?.results.find(({ id }) => id === draft.setId);
  const items = set ? set.splits[draft.split] : null;
  const executions = executionsOf(draft, items);
  const options = (found: readonly { id: string; name: string }[] | undefined, none?: string) => [
    ...(none ? [{ value: "", label: none }] : []),
    ...(found ?? []).map(({ id, name }) => ({ value: id, label: name })),
  ];

  return (
    <Page
      title="New experiment"
      description="Every arm answers the same items; differences are paired, with intervals. Never on the holdout."
      breadcrumbs={[{ label: "Experiments", to: `/w/${workspaceId}/experiments` }]}
    >
      <form onSubmit={submit} className="flex max-w-4xl flex-col gap-4">
        {unread && <ProblemNotice error={unread.error} retry={() => void unread.refetch()} />}
        <Panel title="What is compared">
          <div className="flex flex-col gap-4">
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label="Agent" required error={shown.agent}>
                {(control) => (
                  <Combobox
                    {...control}
                    value={draft.agentId}
                    onValueChange={(agentId) => change({ agentId, arms: [armDraft(Date.now()), armDraft(Date.now() + 1)] })}
                    options={options(agents.data?.results)}
                    placeholder="Choose an agent"
                  />
                )}
              </Field>
              <Field label="Name" hint="Left out: a name of its arms">
                {(control) => <Input {...control} maxLength={200} value={draft.name} onChange={(event) => change({ name: event.target.value })} />}
              </Field>
            </div>
            <ArmsEditor workspaceId={workspaceId} agentId={draft.agentId} arms={draft.arms} onChange={(arms) => change({ arms })} error={shown.arms} />
          </div>
        </Panel>
        <Panel title="On what, and by what">
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Sample set" required error={shown.set} hint={items === null ? undefined : itemsHint(items)}>
              {(control) => (
                <Combobox {...control} value={draft.setId} onValueChange={(setId) => change({ setId })} options={options(sets.data?.results)} placeholder="Choose a sample set" />
              )}
            </Field>
            <div className="flex flex-col gap-1">
              <span className="text-xs font-medium">Split</span>
              <Segmented
                label="Split"
                value={draft.split}
                onValueChange={(split) => change({ split })}
                options={[
                  { value: "select", label: set ? `select ${formatCount(set.splits.select)}` : "select" },
                  { value: "reflect", label: set ? `reflect ${formatCount(set.splits.reflect)}` : "reflect" },
                ]}
                className="self-start"
              />
            </div>
            <Field label="Rubric" error={shown.measure} hint="How an answer is scored">
              {(control) => (
                <Combobox
                  {...control}
                  value={draft.rubricId ?? ""}
                  onValueChange={(rubricId) => change({ rubricId: rubricId || undefined })}
                  options={options(rubrics.data?.results, "The objective's rubric")}
                />
              )}
            </Field>
            <Field label="Objective" hint="What makes one number of an item, and which guards must hold">
              {(control) => (
                <Combobox
                  {...control}
                  value={draft.objectiveId ?? ""}
                  onValueChange={(objectiveId) => change({ objectiveId: objectiveId || undefined })}
                  options={options(objectives.data?.results, "The rubric's total alone")}
                />
              )}
            </Field>
          </div>
        </Panel>
        <Panel title="How, and at what price">
          <div className="grid gap-4 sm:grid-cols-3">
            <div className="flex flex-col gap-1 sm:col-span-3">
              <span className="text-xs font-medium">Who executes the agent</span>
              <Segmented
                label="Who executes the agent"
                value={draft.execution}
                onValueChange={(execution) => change({ execution })}
                options={[
                  { value: "agent", label: "Spectral or the agent's runner" },
                  { value: "outputs", label: "I do, and bring the outputs" },
                ]}
                className="self-start"
              />
            </div>
            <NumberField label="Repeats of each item" hint="For models that do not always answer alike" value={draft.repeats} min={1} max={10} onValueChange={(repeats) => change({ repeats })} />
            <NumberField label="Margin, points" hint="A loss up to this is no regression. Left out: the minimum effect" value={draft.margin} min={0} max={100} step="any" onValueChange={(margin) => change({ margin })} />
            <NumberField label="Seed" value={draft.seed} min={0} onValueChange={(seed) => change({ seed })} />
            <NumberField label="At most, evaluations" hint="Left out: as many as it takes" value={draft.maxEvaluations} min={1} onValueChange={(maxEvaluations) => change({ maxEvaluations })} />
            <NumberField label="At most, US dollars" hint="Left out: no bound on the cost" value={draft.maxCostUsd} min={0} step="any" onValueChange={(maxCostUsd) => change({ maxCostUsd })} />
          </div>
        </Panel>
        {start.error !== null && <ProblemNotice error={start.error} />}
        <div className="flex flex-wrap items-center justify-end gap-3">
          {executions !== null && <span className="numeric text-sm text-muted">{formatCount(executions)} executions</span>}
          <Button type="submit" variant="primary" pending={start.isPending} disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")}>
            Start the experiment
          </Button>
        </div>
      </form>
    </Page>
  );
}

function itemsHint(items: number): string {
  if (items < LEAST_ITEMS) return `${items} items in this split; at least ${LEAST_ITEMS} are needed`;
  return items > 2_000 ? `${formatCount(items)} items in this split; 2,000 of them are used` : `${formatCount(items)} items in this split`;
}

interface NumberFieldProps {
  label: string;
  hint?: string;
  value: string;
  onValueChange: (value: string) => void;
  min: number;
  max?: number;
  step?: number | "any";
}

function NumberField({ label, hint, value, onValueChange, ...bounds }: NumberFieldProps) {
  return (
    <Field label={label} hint={hint}>
      {(control) => <Input {...control} type="number" {...bounds} value={value} onChange={(event) => onValueChange(event.target.value)} />}
    </Field>
  );
}
