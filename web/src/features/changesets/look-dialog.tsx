import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, idempotencyKey } from "@/api/client";
import { formatCount } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { useAfterDecision, useHoldout } from "./changeset-queries";
import type { ChangesetDetail } from "./evidence-types";
import { alphaText, levelText, pointsSize } from "./wording";

export function LookButton({ changeset }: { changeset: ChangesetDetail }) {
  const may = useMay("write:workspace");
  const [open, setOpen] = useState(false);
  // One key for each time somebody opens the dialog: sent twice, one look is taken.
  const [key, setKey] = useState("");
  return (
    <>
      <Button
        variant="primary"
        disabled={!may}
        title={may ? undefined : lacking("write:workspace")}
        onClick={() => {
          setKey(idempotencyKey());
          setOpen(true);
        }}
      >
        Look at the holdout…
      </Button>
      {key !== "" && <LookDialog key={key} changeset={changeset} intent={key} open={open} onOpenChange={setOpen} />}
    </>
  );
}

interface LookDialogProps {
  changeset: ChangesetDetail;
  intent: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

const MOST_REPEATS = 10;

function LookDialog({ changeset, intent, open, onOpenChange }: LookDialogProps) {
  const workspaceId = useWorkspaceId();
  const after = useAfterDecision(changeset.id);
  const [repeats, setRepeats] = useState("1");
  const [most, setMost] = useState("");
  const look = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/validation", {
    onSuccess: async () => {
      await after();
      onOpenChange(false);
      toast.success("The look has begun");
    },
  });
  const times = Number(repeats);
  const repeatsError = Number.isInteger(times) && times >= 1 && times <= MOST_REPEATS ? undefined : `A whole number from 1 to ${MOST_REPEATS}`;
  const mostError = most === "" || Number(most) > 0 ? undefined : "An amount above 0, or nothing";
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Look at the holdout?"
      description="It measures both configurations on frozen samples and cannot be undone."
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            variant="primary"
            disabled={repeatsError !== undefined || mostError !== undefined}
            pending={look.isPending}
            onClick={() =>
              look.mutate({
                params: { path: { workspace_id: workspaceId, changeset_id: changeset.id }, header: { "Idempotency-Key": intent } },
                body: { repeats: times, ...(most === "" ? {} : { max_cost_usd: most }) },
              })
            }
          >
            Spend a look
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p>
          A holdout may be looked at a planned number of times in its whole life, over all change sets. Each look spends a part of α
          = 0.05, whatever it shows; after the last one the holdout is retired and a fresh one has to be frozen from new samples.
        </p>
        <NextLook changeset={changeset} />
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Executions of each sample" error={repeatsError} hint="More than 1 where the agent is not deterministic.">
            {(control) => (
              <Input {...control} inputMode="numeric" value={repeats} onChange={(event) => setRepeats(event.target.value)} />
            )}
          </Field>
          <Field label="Cost at most, US dollars" error={mostError} hint="Left empty: no bound of its own.">
            {(control) => (
              <Input {...control} inputMode="decimal" value={most} onChange={(event) => setMost(event.target.value.trim())} />
            )}
          </Field>
        </div>
        {look.error && <ProblemNotice error={look.error} />}
      </div>
    </Dialog>
  );
}

/** What the next look costs of α and could show, as the preview of a scan on the same data says it; it spends nothing. */
function NextLook({ changeset }: { changeset: ChangesetDetail }) {
  const workspaceId = useWorkspaceId();
  const { data } = api.useQuery("post", "/api/v1/workspaces/{workspace_id}/scans/preview", {
    params: { path: { workspace_id: workspaceId } },
    body: {
      agent_id: changeset.agent_id,
      sample_set_id: changeset.sample_set_id,
      objective_id: changeset.objective_id,
      rubric_id: changeset.rubric_id,
      mode: "full",
    },
  });
  const last = changeset.validation;
  const holdout = useHoldout(changeset.sample_set_id, last?.holdout_id ?? null).data;
  if (last && holdout && last.status === "completed" && last.items >= holdout.size && holdout.retired_at === null) {
    return (
      <p className="text-warn">
        All {formatCount(holdout.size)} samples of this holdout are measured for this change set, and cannot say more: a look is refused,
        and costs nothing, until a fresh holdout{changeset.further_samples === null ? "" : ` of about ${formatCount(changeset.further_samples)} samples`} is
        frozen.
      </p>
    );
  }
  const detectable = data?.readiness.detectable;
  const problems = data && !data.readiness.holdout_available ? data.readiness.problems : [];
  if (problems.length > 0) return <p className="text-warn">{problems.join(". ")}.</p>;
  if (!detectable) return <p className="text-muted">What this look costs of α is decided, and said, when it starts.</p>;
  return (
    <KeyValue
      className="rounded-md border border-line bg-sunken p-2.5"
      items={[
        { label: "Costs", value: `α = ${alphaText(detectable.alpha)}, so it decides at ${levelText(1 - detectable.alpha)}` },
        {
          label: "Measures",
          value:
            last && last.items > 0
              ? `the samples of its next stage, after ${formatCount(last.items)} at the last look`
              : `about ${formatCount(detectable.items)} samples, twice`,
        },
        {
          label: "Could show",
          value: `a gain of ${pointsSize(detectable.effect)} with ${Math.round(detectable.power * 100)} % probability, if the configurations differ on ${Math.round(detectable.discordance * 100)} % of the samples`,
        },
      ]}
    />
  );
}
