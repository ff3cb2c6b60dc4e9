import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { http, type Schemas } from "@/api/client";
import { lacking } from "@/api/access";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { refreshEvaluations, type RubricPath } from "./queries";
import { dimensionDraft, draftOf, problemsOf, specOf } from "./rubric-draft";
import { RubricEditor } from "./rubric-editor";
import { Suggestions } from "./suggestions";
import { TryPanel } from "./try-panel";

interface DefinitionTabProps {
  path: RubricPath;
  rubric: Schemas["RubricOut"];
  mayWrite: boolean;
}

export function DefinitionTab({ path, rubric, mayWrite }: DefinitionTabProps) {
  const queries = useQueryClient();
  const [start] = useState(() => draftOf(rubric));
  const [draft, setDraft] = useState(start);
  const [name, setName] = useState(rubric.name);
  const [description, setDescription] = useState(rubric.description ?? "");
  const [tried, setTried] = useState(false);
  const problems = problemsOf(draft);
  const changed = JSON.stringify(specOf(draft)) !== JSON.stringify(specOf(start));
  const renamed = name.trim() !== rubric.name || description.trim() !== (rubric.description ?? "");
  const dirty = changed || renamed;
  useBlocker({ shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname && !confirm("Leave without saving the rubric?"), enableBeforeUnload: dirty });

  const save = useMutation({
    mutationFn: async () => {
      const { data } = await http.PATCH("/api/v1/workspaces/{workspace_id}/evaluations/rubrics/{rubric_id}", {
        params: { path },
        body: { name: name.trim(), description: description.trim() || null, ...(changed ? specOf(draft) : {}) },
      });
      return data!;
    },
    onSuccess: async (saved) => {
      toast(saved.version === rubric.version ? "Rubric saved" : `Saved as version ${saved.version}`);
      await refreshEvaluations(queries);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (problems.length === 0 && name.trim() !== "" && dirty && !save.isPending) save.mutate();
  };
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1.6fr)_minmax(0,1fr)]">
      <Panel
        title="Dimensions"
        description="The total is the weighted mean. Other content becomes a new version; earlier scores keep theirs."
        actions={
          <>
            {dirty && (
              <Button
                size="sm"
                variant="ghost"
                onClick={() => {
                  setDraft(start);
                  setName(rubric.name);
                  setDescription(rubric.description ?? "");
                }}
              >
                Discard
              </Button>
            )}
            <Button size="sm" variant="primary" type="submit" form="rubric" disabled={!mayWrite || !dirty} title={mayWrite ? undefined : lacking("write:workspace")} pending={save.isPending}>
              {changed ? `Save as version ${rubric.latest_version + 1}` : "Save"}
            </Button>
          </>
        }
      >
        <form id="rubric" onSubmit={submit} className="flex flex-col gap-3">
          <div className="grid gap-3 sm:grid-cols-2">
            <Field label="Name" required>
              {(control) => <Input {...control} maxLength={200} disabled={!mayWrite} value={name} onChange={(event) => setName(event.target.value)} />}
            </Field>
            <Field label="Description">
              {(control) => <Input {...control} disabled={!mayWrite} value={description} onChange={(event) => setDescription(event.target.value)} />}
            </Field>
          </div>
          {save.error !== null && <ProblemNotice error={save.error} />}
          {tried && problems.length > 0 && (
            <ul role="alert" className="text-sm text-bad">
              {problems.map((problem) => (
                <li key={problem}>{problem}</li>
              ))}
            </ul>
          )}
          <RubricEditor draft={draft} onChange={setDraft} disabled={!mayWrite} />
        </form>
      </Panel>
      <div className="flex min-w-0 flex-col gap-4">
        <TryPanel workspaceId={path.workspace_id} draft={draft} />
        <Suggestions
          workspaceId={path.workspace_id}
          rubricId={path.rubric_id}
          taken={draft.dimensions.map((one) => one.name)}
          disabled={!mayWrite}
          onAdd={(dimension) => setDraft((before) => ({ ...before, dimensions: [...before.dimensions, dimensionDraft(dimension)] }))}
        />
      </div>
    </div>
  );
}
