import { Link } from "@tanstack/react-router";
import { api } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { formatCount, formatPoints, pluralise } from "@/components/format";
import { Checkbox } from "@/components/ui/checkbox";
import { Combobox, MultiSelect } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import type { FieldErrors, ScanDraft } from "./scan-draft";
import { STRATEGIES } from "./scan-words";
import type { ScanChoices } from "./use-scan-draft";

export interface ScanFieldsProps {
  choices: ScanChoices;
  draft: ScanDraft;
  errors: FieldErrors;
  onChange: (next: Partial<ScanDraft>) => void;
}

const MOST = 100;
const LINK = "text-accent underline underline-offset-2 dark:text-series-1";

export function SubjectFields({ choices, draft, errors, onChange }: ScanFieldsProps) {
  const workspaceId = useWorkspaceId();
  const agent = choices.agents.find((one) => one.id === draft.agentId);
  const set = choices.sampleSets.find((one) => one.id === draft.sampleSetId);
  const objective = choices.objectives.find((one) => one.id === draft.objectiveId);
  const environments = Object.keys(agent?.live ?? {});
  return (
    <Panel title="What is improved, and by what it is judged">
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
        <Field
          label="Agent"
          required
          error={errors.agentId}
          hint={agent ? `Runtime ${agent.runtime}; ${environments.length > 0 ? `version ${agent.live[draft.environment] ?? "–"} is live in ${draft.environment}` : "nothing of it is live, so there is no champion"}` : undefined}
        >
          {(control) => (
            <Combobox
              {...control}
              value={draft.agentId}
              onValueChange={(agentId) => onChange({ agentId })}
              placeholder="Choose an agent"
              options={choices.agents.map((one) => ({ value: one.id, label: one.name, hint: one.status === "observed" ? "only observed in traces" : `runtime ${one.runtime}, version ${one.latest_version ?? "–"}` }))}
            />
          )}
        </Field>
        <Field label="Environment" error={errors.environment} hint="Its live version is the champion.">
          {(control) => (
            <Select {...control} value={draft.environment} onValueChange={(environment) => onChange({ environment })} options={(environments.length > 0 ? environments : [draft.environment]).map((value) => ({ value, label: value }))} />
          )}
        </Field>
        <Field
          label="Sample set"
          required
          error={errors.sampleSetId}
          hint={
            set && (
              <>
                {formatCount(set.splits.reflect)} reflect, {formatCount(set.splits.select)} select, {formatCount(set.splits.holdout)} holdout.{" "}
                {set.holdout === null ? "No holdout is frozen." : set.holdout.retired_at !== null ? "Its holdout is retired." : `Holdout of ${formatCount(set.holdout.size)} frozen, ${pluralise(set.holdout.looks, "look")} taken.`}{" "}
                <Link className={LINK} to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId: set.id }}>
                  Open
                </Link>
              </>
            )
          }
        >
          {(control) => (
            <Combobox
              {...control}
              value={draft.sampleSetId}
              onValueChange={(sampleSetId) => onChange({ sampleSetId })}
              placeholder="Choose a sample set"
              options={choices.sampleSets.map((one) => ({ value: one.id, label: one.name, hint: `${formatCount(one.items)} items, ${one.holdout === null ? "no holdout" : one.holdout.retired_at ? "holdout retired" : "holdout frozen"}` }))}
            />
          )}
        </Field>
        <Field label="Objective" required error={errors.objectiveId} hint={objective ? `Smallest gain that counts: ${formatPoints(objective.minimum_effect).replace("+", "")}; ${pluralise(objective.guards.length, "guard")}` : undefined}>
          {(control) => (
            <Combobox {...control} value={draft.objectiveId} onValueChange={(objectiveId) => onChange({ objectiveId, rubricId: "" })} placeholder="Choose an objective" options={choices.objectives.map((one) => ({ value: one.id, label: one.name }))} />
          )}
        </Field>
        {objective && objective.rubric_id === null && <RubricField draft={draft} error={errors.rubricId} onChange={onChange} />}
        <div className="flex flex-col items-start gap-1 sm:col-span-2">
          <span aria-hidden className="text-xs font-medium">
            Mode
          </span>
          <Segmented
            label="Mode"
            value={draft.mode}
            onValueChange={(mode) => onChange({ mode })}
            options={[
              { value: "full", label: "Search and ask the holdout" },
              { value: "synthetic_only", label: "Search only" },
            ]}
          />
          <p className="text-xs text-muted">
            {draft.mode === "full" ? "Ends with one look at the frozen holdout, paid for from its α: it decides whether the change is better." : "Proposes a change and validates nothing; no look is spent. The change set stays proposed until somebody has it validated."}
          </p>
          {errors.mode && <p className="text-xs text-bad">{errors.mode}</p>}
        </div>
      </div>
    </Panel>
  );
}

function RubricField({ draft, error, onChange }: { draft: ScanDraft; error: string | undefined; onChange: (next: Partial<ScanDraft>) => void }) {
  const workspaceId = useWorkspaceId();
  const rubrics = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/evaluations/rubrics", { params: { path: { workspace_id: workspaceId }, query: { limit: MOST } } });
  return (
    <Field label="Rubric" required error={error} hint="The objective is for no rubric in particular.">
      {(control) => <Combobox {...control} value={draft.rubricId} onValueChange={(rubricId) => onChange({ rubricId })} placeholder="Choose a rubric" options={(rubrics.data?.results ?? []).map((one) => ({ value: one.id, label: one.name }))} />}
    </Field>
  );
}

export function SearchFields({ choices, draft, errors, onChange }: ScanFieldsProps) {
  const toggle = (name: string, on: boolean) => {
    // It tries what it is given and runs alone.
    if (name === "template") return onChange({ strategies: on ? [name] : [], versions: [] });
    const others = draft.strategies.filter((one) => one !== name && one !== "template");
    onChange({ strategies: on ? [...others, name] : others });
  };
  const lacks = (kind: string | null) => kind !== null && choices.searchSpace !== null && !choices.searchSpace.includes(kind);
  return (
    <Panel title="How it searches">
      <div className="flex flex-col gap-3">
        <fieldset className="flex min-w-0 flex-col gap-1">
          <legend className="mb-1 text-xs font-medium">Strategies, in the order they run</legend>
          <div className="grid gap-x-4 gap-y-1 sm:grid-cols-2">
            {STRATEGIES.map(({ name, label, does, needs }) => (
              <div key={name} className="min-w-0">
                <Checkbox checked={draft.strategies.includes(name)} onCheckedChange={(on) => toggle(name, on)} label={draft.strategies.length > 1 && draft.strategies.includes(name) ? `${label} (${draft.strategies.indexOf(name) + 1})` : label} />
                <p className="pl-6 text-xs text-muted">
                  {does}
                  {lacks(needs) && <span className="text-warn">; the search space has no place of the kind {needs}</span>}
                </p>
              </div>
            ))}
          </div>
          {errors.strategies && <p className="text-xs text-bad">{errors.strategies}</p>}
        </fieldset>
        {draft.strategies.includes("template") ? <VersionsField draft={draft} error={errors.versions} onChange={onChange} /> : <ReflectionField draft={draft} error={errors.reflectionModel} onChange={onChange} />}
      </div>
    </Panel>
  );
}

interface OneFieldProps {
  draft: ScanDraft;
  error: string | undefined;
  onChange: (next: Partial<ScanDraft>) => void;
}

function VersionsField({ draft, error, onChange }: OneFieldProps) {
  const workspaceId = useWorkspaceId();
  const versions = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs",
    { params: { path: { workspace_id: workspaceId, agent_id: draft.agentId }, query: { limit: MOST } } },
    { enabled: draft.agentId !== "" },
  );
  const options = (versions.data?.results ?? []).map((one) => ({ value: String(one.version), label: `Version ${one.version}`, hint: one.live_in.length > 0 ? `live in ${one.live_in.join(", ")}` : (one.note ?? undefined) }));
  return (
    <Field label="Versions to try" required error={error} hint="At most 10, each reachable by the champion's search space.">
      {(control) => <MultiSelect {...control} values={draft.versions.map(String)} onValuesChange={(values) => onChange({ versions: values.map(Number) })} placeholder="Choose versions" emptyText="The agent has no other version." options={options} />}
    </Field>
  );
}

function ReflectionField({ draft, error, onChange }: OneFieldProps) {
  const workspaceId = useWorkspaceId();
  const models = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/models", { params: { path: { workspace_id: workspaceId }, query: { limit: MOST, callable_only: true } } });
  const usable = (models.data?.results ?? []).filter((one) => !one.embeddings_only);
  return (
    <Field
      label="Reflection model"
      error={error}
      hint={
        <>
          Reads failures and proposes texts. Listed is what this workspace can call;{" "}
          <Link className={LINK} to="/w/$workspaceId/settings/models" params={{ workspaceId }}>
            add a provider's key
          </Link>{" "}
          for more.
        </>
      }
    >
      {(control) => (
        <Combobox
          {...control}
          value={draft.reflectionModel}
          onValueChange={(reflectionModel) => onChange({ reflectionModel })}
          options={[{ value: "", label: "None: the built-in proposer", hint: "edits label lines from the words of the failures" }, ...usable.map((one) => ({ value: one.name, label: one.name, hint: `${one.label}${one.priced ? "" : ", price unknown"}` }))]}
        />
      )}
    </Field>
  );
}

export function BudgetFields({ draft, errors, onChange, planned, least, scheduled }: Omit<ScanFieldsProps, "choices"> & { planned: number | null; least: number | null; scheduled: boolean }) {
  return (
    <Panel title="Budget" description="Both limits are hard: before each paid call the most that it can cost is reserved.">
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2 xl:grid-cols-4">
        <Field label="Evaluations" error={errors.maxEvaluations} hint={least === null ? undefined : `At least ${formatCount(least)}. Empty: what the plan asks for.`}>
          {(control) => <Input {...control} inputMode="numeric" autoComplete="off" placeholder={planned === null ? undefined : String(planned)} value={draft.maxEvaluations} onChange={(event) => onChange({ maxEvaluations: event.target.value })} />}
        </Field>
        <Field label="US dollars" error={errors.maxCostUsd} hint="Empty: not limited.">
          {(control) => <Input {...control} inputMode="decimal" autoComplete="off" value={draft.maxCostUsd} onChange={(event) => onChange({ maxCostUsd: event.target.value })} />}
        </Field>
        <Field label="Repeats" error={errors.repeats} hint="Executions of each item, for models that are not certain.">
          {(control) => <Input {...control} inputMode="numeric" autoComplete="off" value={draft.repeats} onChange={(event) => onChange({ repeats: event.target.value })} />}
        </Field>
        <Field label="Seed" error={errors.seed} hint={scheduled ? "Empty: each scan has its own." : "The same seed searches the same way. Empty: 0."}>
          {(control) => <Input {...control} inputMode="numeric" autoComplete="off" placeholder={scheduled ? undefined : "0"} value={draft.seed} onChange={(event) => onChange({ seed: event.target.value })} />}
        </Field>
      </div>
    </Panel>
  );
}
