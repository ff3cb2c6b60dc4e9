import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";

type Autonomy = Schemas["AutonomyOut"];
type Kind = Schemas["ChangeKind"];

const PATH = "/api/v1/workspaces/{workspace_id}/autonomy";

const MODES: { value: Schemas["AutonomyMode"]; label: string; hint: string }[] = [
  { value: "observe_only", label: "Observe only", hint: "Traces and scores; nothing is proposed" },
  { value: "recommend", label: "Recommend", hint: "Scans propose change sets; people decide" },
  { value: "manual", label: "Manual", hint: "Scans run when somebody starts them; people decide" },
  { value: "bounded_auto", label: "Within bounds, by itself", hint: "Proven changes inside the bounds are accepted, watched and rolled back" },
];

const KINDS: { value: Kind; label: string }[] = [
  { value: "instructions", label: "Instructions" },
  { value: "few_shot", label: "Few-shot examples" },
  { value: "template", label: "Templates" },
  { value: "parameters", label: "Parameters" },
  { value: "model", label: "The model" },
  { value: "custom", label: "Custom settings" },
];

export function AutonomySettingsPage() {
  const workspace_id = useWorkspaceId();
  const autonomy = api.useQuery("get", PATH, { params: { path: { workspace_id } } });
  if (autonomy.error !== null) return <ProblemNotice error={autonomy.error} retry={() => void autonomy.refetch()} />;
  if (autonomy.isPending) return <SkeletonRows rows={4} />;
  return <Choice key={autonomy.data.updated_at} autonomy={autonomy.data} />;
}

function Choice({ autonomy }: { autonomy: Autonomy }) {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const [mode, setMode] = useState(autonomy.mode);
  const [kinds, setKinds] = useState<Kind[]>(autonomy.bounds?.allowed_change_kinds ?? ["instructions", "few_shot"]);
  const [budget, setBudget] = useState(autonomy.bounds?.budget_per_night_usd ?? "5");
  const [dearer, setDearer] = useState(String(autonomy.bounds?.max_cost_increase_percent ?? 0));
  const [production, setProduction] = useState(autonomy.bounds?.allow_production ?? false);
  const bounded = mode === "bounded_auto";
  const save = useMutation({
    mutationFn: () =>
      http.PUT(PATH, {
        params: { path: { workspace_id } },
        body: {
          mode,
          bounds: bounded
            ? {
                allowed_change_kinds: kinds,
                budget_per_night_usd: budget,
                max_cost_increase_percent: Number(dearer),
                allow_production: production,
              }
            : null,
        },
      }),
    onSuccess: async () => {
      toast.success("Saved");
      await queries.invalidateQueries({ queryKey: ["get", PATH] });
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate();
  }

  return (
    <Panel title="Autonomy" description="How far Spectral may go without a person. The service enforces it, not this page.">
      <form onSubmit={submit} className="flex max-w-xl flex-col gap-4">
        <Field label="Mode">
          {(control) => <Select {...control} value={mode} onValueChange={setMode} options={MODES} disabled={!mayChange} />}
        </Field>
        {bounded && (
          <fieldset disabled={!mayChange} className="flex flex-col gap-4 rounded-md border p-4">
            <legend className="px-1 text-xs font-medium">Bounds</legend>
            <div role="group" aria-label="What may be changed" className="grid gap-2 sm:grid-cols-2">
              {KINDS.map(({ value, label }) => (
                <Checkbox
                  key={value}
                  label={label}
                  checked={kinds.includes(value)}
                  onCheckedChange={(on) => setKinds(on ? [...kinds, value] : kinds.filter((one) => one !== value))}
                />
              ))}
            </div>
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label="Budget a night, USD" required>
                {(control) => (
                  <Input {...control} type="number" required min={0} step="any" inputMode="decimal" value={budget} onChange={(event) => setBudget(event.target.value)} />
                )}
              </Field>
              <Field label="Dearer by at most, %" hint="Cost of an answer, against the live version." required>
                {(control) => (
                  <Input {...control} type="number" required min={0} step="any" inputMode="decimal" value={dearer} onChange={(event) => setDearer(event.target.value)} />
                )}
              </Field>
            </div>
            <Checkbox
              label="Also in production; a guard compares with the old version and takes a regression back"
              checked={production}
              onCheckedChange={setProduction}
            />
          </fieldset>
        )}
        {save.error !== null && <ProblemNotice error={save.error} />}
        <div className="flex items-center gap-3">
          <Button
            type="submit"
            variant="primary"
            pending={save.isPending}
            disabled={!mayChange || (bounded && kinds.length === 0)}
            title={mayChange ? undefined : lacking("admin:workspace")}
          >
            Save
          </Button>
          {autonomy.updated_at !== null && (
            <span className="text-muted">
              Last changed <Time at={autonomy.updated_at} />
            </span>
          )}
        </div>
      </form>
    </Panel>
  );
}
