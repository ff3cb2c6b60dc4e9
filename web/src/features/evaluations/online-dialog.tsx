import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { formatPercent } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Slider } from "@/components/ui/slider";
import { agentsQuery, refreshEvaluations, type RubricPath } from "./queries";

interface OnlineDialogProps {
  path: RubricPath;
  rubric: Schemas["RubricOut"];
  open: boolean;
  onClose: () => void;
}

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;

export function OnlineDialog({ path, rubric, open, onClose }: OnlineDialogProps) {
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title={`Run “${rubric.name}” on new traces`}>
      {open && <OnlineForm path={path} rubric={rubric} onClose={onClose} />}
    </Dialog>
  );
}

function OnlineForm({ path, rubric, onClose }: Omit<OnlineDialogProps, "open">) {
  const queries = useQueryClient();
  const agents = useQuery(agentsQuery(path.workspace_id));
  const [key] = useState(idempotencyKey);
  const [tried, setTried] = useState(false);
  const [name, setName] = useState(rubric.name.toLowerCase().replaceAll(/[^a-z0-9_.-]+/g, "-").slice(0, 64));
  const [agentId, setAgentId] = useState("");
  const [rate, setRate] = useState(0.2);
  const [target, setTarget] = useState<"trace" | "model_call">("trace");
  const [maxEvaluations, setMaxEvaluations] = useState("1000");
  const [maxCost, setMaxCost] = useState("");
  const create = useMutation({
    mutationFn: () =>
      http.POST("/api/v1/workspaces/{workspace_id}/evaluations/online", {
        params: { path: { workspace_id: path.workspace_id } },
        headers: { "Idempotency-Key": key },
        body: {
          name,
          rubric_id: path.rubric_id,
          sampling_rate: rate,
          target,
          filter: { agent_id: agentId || null },
          budget: { max_evaluations: Number(maxEvaluations), max_cost_usd: maxCost.trim() || null },
        },
      }),
    onSuccess: async () => {
      await refreshEvaluations(queries);
      toast(`${name} runs on new traces`);
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (NAME.test(name) && Number(maxEvaluations) >= 1 && !create.isPending) create.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" required hint={`Its scores are called eval/${name || "…"} on traces`} error={tried && !NAME.test(name) ? "Letters, digits, _ . - only, up to 64" : undefined}>
        {(control) => <Input {...control} autoFocus spellCheck={false} className="font-mono text-xs" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Agent">
          {(control) => (
            <Combobox {...control} value={agentId} onValueChange={setAgentId} options={[{ value: "", label: "Any" }, ...(agents.data?.results ?? []).map((one) => ({ value: one.id, label: one.name }))]} />
          )}
        </Field>
        <Field label="What is scored">
          {(control) => (
            <Select
              {...control}
              value={target}
              onValueChange={setTarget}
              options={[
                { value: "trace", label: "The whole trace" },
                { value: "model_call", label: "Its last model call" },
              ]}
            />
          )}
        </Field>
      </div>
      <div className="flex flex-col gap-1">
        <p className="numeric text-xs font-medium">Share of the traces: {formatPercent(rate, { digits: 0 })}</p>
        <Slider label="Share of the traces" value={rate} onValueChange={setRate} min={0.01} max={1} step={0.01} valueText={formatPercent(rate, { digits: 0 })} />
      </div>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="At most, evaluations a day" hint="A day in UTC">
          {(control) => <Input {...control} type="number" min={1} max={1_000_000} value={maxEvaluations} onChange={(event) => setMaxEvaluations(event.target.value)} />}
        </Field>
        <Field label="At most, US dollars a day" hint="Empty: no bound on the cost">
          {(control) => <Input {...control} inputMode="decimal" value={maxCost} onChange={(event) => setMaxCost(event.target.value)} />}
        </Field>
      </div>
      {create.error !== null && <ProblemNotice error={create.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" pending={create.isPending}>
          Run on new traces
        </Button>
      </div>
    </form>
  );
}
