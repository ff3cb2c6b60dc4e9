import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { formatCost, formatCount } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { agentsQuery, refreshEvaluations } from "./queries";
import { dimensionDraft, draftOf, problemsOf, type RubricDraft, specOf } from "./rubric-draft";
import { RubricEditor } from "./rubric-editor";

interface CreateRubricDialogProps {
  workspaceId: string;
  kind: "new" | "generate" | undefined;
  onClose: () => void;
}

export function CreateRubricDialog({ workspaceId, kind, onClose }: CreateRubricDialogProps) {
  return (
    <Dialog
      open={kind !== undefined}
      onOpenChange={(open) => !open && onClose()}
      size="lg"
      title={kind === "generate" ? "Draft a rubric from an agent" : "New rubric"}
      description={
        kind === "generate"
          ? "Looks at the agent's template, at samples that a search may read and at traces. Nothing is saved until you say so."
          : undefined
      }
    >
      {kind === "new" && <Draft workspaceId={workspaceId} start={null} onClose={onClose} />}
      {kind === "generate" && <Generate workspaceId={workspaceId} onClose={onClose} />}
    </Dialog>
  );
}

function Generate({ workspaceId, onClose }: { workspaceId: string; onClose: () => void }) {
  const [agentId, setAgentId] = useState<string>();
  const [setId, setSetId] = useState("");
  const [model, setModel] = useState("");
  const [maxCost, setMaxCost] = useState("");
  const agents = useQuery(agentsQuery(workspaceId));
  const sets = useQuery(
    api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/samples", { params: { path: { workspace_id: workspaceId }, query: { limit: 100 } } }),
  );
  const generate = useMutation({
    mutationFn: async (agent: string) => {
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/evaluations/rubrics/generate", {
        params: { path: { workspace_id: workspaceId } },
        body: { agent_id: agent, sample_set_id: setId || null, model: model.trim() || null, max_cost_usd: maxCost.trim() || null },
      });
      return data!;
    },
  });
  if (generate.data) return <Draft workspaceId={workspaceId} start={generate.data} onClose={onClose} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (agentId) generate.mutate(agentId);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Agent" required>
        {(control) => <Combobox {...control} value={agentId} onValueChange={setAgentId} options={(agents.data?.results ?? []).map(({ id, name }) => ({ value: id, label: name }))} placeholder="Choose an agent" />}
      </Field>
      <Field label="Sample set" hint="Its expected answers say what right answers look like">
        {(control) => <Combobox {...control} value={setId} onValueChange={setSetId} options={[{ value: "", label: "None" }, ...(sets.data?.results ?? []).map(({ id, name }) => ({ value: id, label: name }))]} />}
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Model" hint="Proposes criteria too, each a judge. Empty: no model is asked">
          {(control) => <Input {...control} spellCheck={false} className="font-mono text-xs" placeholder="openai/gpt-4o-mini" value={model} onChange={(event) => setModel(event.target.value)} />}
        </Field>
        <Field label="At most, US dollars">
          {(control) => <Input {...control} inputMode="decimal" value={maxCost} onChange={(event) => setMaxCost(event.target.value)} />}
        </Field>
      </div>
      {generate.error !== null && <ProblemNotice error={generate.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" disabled={!agentId} pending={generate.isPending}>
          Draft
        </Button>
      </div>
    </form>
  );
}

interface DraftProps {
  workspaceId: string;
  start: Schemas["RubricDraftOut"] | null;
  onClose: () => void;
}

function startOf(start: DraftProps["start"]): RubricDraft {
  if (!start) return { dimensions: [dimensionDraft({ name: "right", scorer: "exact_match" })], threshold: "0.5", onError: "zero" };
  const { dimensions, threshold = 0.5, on_error = "zero" } = start.rubric;
  return draftOf({ dimensions, threshold, on_error });
}

function Draft({ workspaceId, start, onClose }: DraftProps) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [key] = useState(idempotencyKey);
  const [name, setName] = useState("");
  const [draft, setDraft] = useState(() => startOf(start));
  const [tried, setTried] = useState(false);
  const problems = problemsOf(draft);
  const create = useMutation({
    mutationFn: async () => {
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/evaluations/rubrics", {
        params: { path: { workspace_id: workspaceId } },
        headers: { "Idempotency-Key": key },
        body: { name: name.trim(), ...specOf(draft) },
      });
      return data!;
    },
    onSuccess: async ({ id }) => {
      toast("Rubric created");
      void refreshEvaluations(queries);
      await navigate({ to: "/w/$workspaceId/rubrics/$rubricId", params: { workspaceId, rubricId: id } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() !== "" && problems.length === 0 && !create.isPending) create.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {start && (
        <div className="rounded-md border border-line bg-canvas p-3 text-sm">
          <p className="numeric text-muted">
            From {formatCount(start.samples)} samples, none of a holdout, and {formatCount(start.traces)} traces
            {start.model && `; ${start.model} was asked for ${formatCost(start.cost_usd)}`}.
          </p>
          <dl className="mt-1 flex flex-col gap-0.5">
            {Object.entries(start.reasons).map(([dimension, reason]) => (
              <div key={dimension} className="flex gap-2">
                <dt className="shrink-0 font-medium">{dimension}</dt>
                <dd className="text-muted">{reason}</dd>
              </div>
            ))}
          </dl>
        </div>
      )}
      <Field label="Name" required>
        {(control) => <Input {...control} autoFocus required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <RubricEditor draft={draft} onChange={setDraft} disabled={false} />
      {tried && problems.length > 0 && (
        <ul role="alert" className="text-sm text-bad">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {create.error !== null && <ProblemNotice error={create.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" pending={create.isPending}>
          Create
        </Button>
      </div>
    </form>
  );
}
