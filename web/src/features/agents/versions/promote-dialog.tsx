import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { formatPercent, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Slider } from "@/components/ui/slider";
import { Textarea } from "@/components/ui/textarea";
import { useAgentPath, useRefreshAgents } from "../use-agent-path";
import { ChangeList } from "./change-list";
import { useArms } from "./environment-cards";
import { ENVIRONMENT_NAME, environmentChoices, PRODUCTION, planPromotion, type PromotionPlan } from "./environments";

/** What somebody is about to put live. */
export interface PromotionWish {
  version: number;
  environment: string;
}

export interface PromoteDialogProps {
  agent: Schemas["AgentOut"];
  wish: PromotionWish | null;
  onClose: () => void;
}

export function PromoteDialog({ agent, wish, onClose }: PromoteDialogProps) {
  return (
    <Dialog
      open={wish !== null}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={wish ? `Put version ${wish.version} of ${agent.name} live` : ""}
      size="lg"
    >
      {wish && <PromoteForm key={`${wish.version} ${wish.environment}`} agent={agent} wish={wish} onClose={onClose} />}
    </Dialog>
  );
}

const OTHER = "…";

function PromoteForm({ agent, wish, onClose }: { agent: Schemas["AgentOut"]; wish: PromotionWish; onClose: () => void }) {
  const path = useAgentPath();
  const refresh = useRefreshAgents();
  const [choice, setChoice] = useState(wish.environment);
  const [named, setNamed] = useState("");
  const [holdback, setHoldback] = useState(0);
  const [reason, setReason] = useState("");
  const environment = choice === OTHER ? named : choice;
  const live = agent.live[environment];
  const arms = useArms(environment, live === wish.version);
  const plan = planPromotion(wish.version, live, arms.length > 0);
  const known = ENVIRONMENT_NAME.test(environment);
  const promote = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/promote", {
    onSuccess: async ({ version, environment: where }) => {
      await refresh();
      toast.success(plan.kind === "release" ? `Version ${version} is live in ${where} for everybody` : `Version ${version} is live in ${where}`);
      onClose();
    },
  });
  const canHold = plan.kind === "forward" || plan.kind === "back";
  const isProduction = environment === PRODUCTION;
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        promote.mutate({
          params: { path },
          body: { version: wish.version, environment, holdback: canHold ? holdback : 0, reason: reason.trim() === "" ? null : reason.trim() },
        });
      }}
    >
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Environment">
          {(control) => (
            <Select
              {...control}
              value={choice}
              onValueChange={setChoice}
              options={[
                ...environmentChoices(agent.live).map((name) => ({
                  value: name,
                  label: name,
                  hint: agent.live[name] === undefined ? "Nothing is live there yet" : `Version ${agent.live[name]} is live`,
                })),
                { value: OTHER, label: "Another one…" },
              ]}
            />
          )}
        </Field>
        {choice === OTHER && (
          <Field
            label="Name of the environment"
            required
            error={named === "" || known ? undefined : "Lower-case letters, digits, - and _; 32 at most"}
          >
            {(control) => <Input {...control} value={named} onChange={(event) => setNamed(event.target.value)} autoComplete="off" spellCheck={false} />}
          </Field>
        )}
      </div>
      {known && <Consequence plan={plan} version={wish.version} environment={environment} holdback={canHold ? holdback : 0} />}
      {canHold && (
        <div className="flex flex-col gap-1">
          <div className="flex items-center justify-between text-xs">
            <span className="font-medium">Holdback</span>
            <span className="numeric text-muted">
              {holdback === 0 ? "none: every session gets the version" : `${formatPercent(holdback, { digits: 0 })} of the sessions keep version ${live}`}
            </span>
          </div>
          <Slider value={holdback} onValueChange={setHoldback} min={0} max={0.5} step={0.05} label="Holdback" valueText={formatPercent(holdback, { digits: 0 })} />
          <p className="text-xs text-muted">
            Until the next promotion. Your client has to follow the arms; the guard that compares them belongs to change sets only.
          </p>
        </div>
      )}
      {canHold && live !== undefined && <PromotionChanges before={live} after={wish.version} />}
      {plan.kind !== "nothing" && (
        <Field label="Reason" hint="Kept in the history and in the audit log.">
          {(control) => <Textarea {...control} rows={2} maxLength={2000} value={reason} onChange={(event) => setReason(event.target.value)} />}
        </Field>
      )}
      {promote.error && <ProblemNotice error={promote.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant={isProduction ? "danger" : "primary"} pending={promote.isPending} disabled={!known || plan.kind === "nothing"}>
          {label(plan, wish.version, environment)}
        </Button>
      </div>
    </form>
  );
}

function label(plan: PromotionPlan, version: number, environment: string): string {
  if (plan.kind === "release") return "End the holdback";
  if (plan.kind === "back") return `Roll ${environment} back to version ${version}`;
  return `Promote to ${environment || "…"}`;
}

function Consequence({ plan, version, environment, holdback }: { plan: PromotionPlan; version: number; environment: string; holdback: number }) {
  return (
    <p role="status" className="rounded-md bg-sunken p-2.5 text-sm">
      {plan.kind === "nothing" && (
        <>
          Version {version} is live in <b>{environment}</b> already, for everybody.
        </>
      )}
      {plan.kind === "release" && (
        <>
          Version {version} is live in <b>{environment}</b> with a holdback. This ends it: every session gets version {version}.
        </>
      )}
      {plan.kind === "first" && (
        <>
          Version {version} goes live in <b>{environment}</b>, where nothing is live yet.
        </>
      )}
      {(plan.kind === "forward" || plan.kind === "back") && (
        <>
          Version {version} goes live in <b>{environment}</b> in place of version {plan.live}
          {holdback > 0 && <> for {formatPercent(1 - holdback, { digits: 0 })} of the sessions</>}
          {plan.kind === "back" && <>: a rollback</>}. Clients fetch it when they next ask for their config; no deployment is needed.
        </>
      )}
    </p>
  );
}

function PromotionChanges({ before, after }: { before: number; after: number }) {
  const path = useAgentPath();
  const diff = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{before}/diff/{after}", {
    params: { path: { ...path, before, after } },
  });
  if (diff.error) return <ProblemNotice error={diff.error} />;
  if (!diff.data) return <p className="text-xs text-muted">Comparing version {before} with version {after}…</p>;
  return (
    <section className="flex min-w-0 flex-col gap-1.5">
      <h3 className="text-xs font-medium">
        What changes: {pluralise(diff.data.changes.length, "place")} of the config differ{diff.data.changes.length === 1 ? "s" : ""}
      </h3>
      <ChangeList changes={diff.data.changes} />
    </section>
  );
}
