import { useState } from "react";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { formatPercent } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Slider } from "@/components/ui/slider";
import { useAfterDecision, useHoldout } from "./changeset-queries";
import type { ChangesetDetail } from "./evidence-types";
import { ReasonField } from "./reason-field";
import { findingOf } from "./verdict-sentence";

export interface AcceptDialogProps {
  changeset: ChangesetDetail;
  agentName: string;
  liveVersion: number | null | undefined;
  /** A holdout has validated the gain. Without it a reason is asked for. */
  proven: boolean;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** The API's own defaults and the most it takes (docs/after-promotion.md). */
const HOLDBACK = { proven: 0.1, unproven: 0, most: 0.5 };

export function AcceptDialog(props: AcceptDialogProps) {
  const { changeset, agentName, liveVersion, proven, open, onOpenChange } = props;
  const workspaceId = useWorkspaceId();
  const after = useAfterDecision(changeset.id);
  const usual = proven ? HOLDBACK.proven : HOLDBACK.unproven;
  const [holdback, setHoldback] = useState(usual);
  const [reason, setReason] = useState("");
  const accept = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/accept", {
    onSuccess: async (answer) => {
      await after(answer);
      onOpenChange(false);
      toast.success(`Accepted: version ${answer.candidate_version} is live in ${answer.target_environment}`);
    },
  });
  const { base_version: base, candidate_version: candidate, target_environment: environment } = changeset;
  const replaced = liveVersion !== undefined && liveVersion !== null && liveVersion !== base && liveVersion !== candidate;
  // The evidence is about another version than the live one, so that even a proven gain needs a reason.
  const refusedAsReplaced = accept.error instanceof ApiProblem && accept.error.type === "base-replaced";
  const needsReason = !proven || replaced || refusedAsReplaced;
  const blocked = needsReason && reason.trim() === "";
  const holdout = useHoldout(changeset.sample_set_id, changeset.validation?.holdout_id ?? null).data;
  const finding = findingOf(changeset.validation, holdout?.size ?? null);
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        accept.reset();
        onOpenChange(next);
      }}
      title={`${proven ? "Accept" : "Accept without proof"}: ${agentName}, version ${base} → ${candidate}`}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            variant={environment === "production" || !proven ? "danger" : "primary"}
            disabled={blocked}
            title={blocked ? "An acceptance without proof needs a reason" : undefined}
            pending={accept.isPending}
            onClick={() =>
              accept.mutate({
                params: { path: { workspace_id: workspaceId, changeset_id: changeset.id } },
                body: { holdback, ...(needsReason ? { override_reason: reason.trim() } : {}) },
              })
            }
          >
            {proven ? `Promote to ${environment}` : `Promote to ${environment} without proof`}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p>
          Version {candidate} goes live in <strong>{environment}</strong>
          {liveVersion === null || liveVersion === undefined ? "" : ` instead of version ${liveVersion}`}, at once. Other change sets of
          this agent for {environment} that nobody has decided are superseded.
        </p>
        <div className="rounded-md border border-line bg-sunken p-2.5">
          <p className="numeric">
            <strong className="font-medium">{finding.lead}.</strong> <span className="text-muted">{finding.sentence}</span>
          </p>
        </div>
        {replaced && (
          <p className="text-warn">
            It was compared with version {base}, but version {liveVersion} is live in {environment}: the evidence is about something
            else.
          </p>
        )}
        <div className="flex flex-col gap-1">
          <div className="flex justify-between gap-2">
            <span className="text-xs font-medium">Holdback</span>
            <span className="numeric text-xs">{formatPercent(holdback, { digits: 0 })} of the sessions</span>
          </div>
          <Slider
            label="Holdback, share of the sessions"
            value={holdback}
            onValueChange={setHoldback}
            max={HOLDBACK.most}
            step={0.05}
            valueText={formatPercent(holdback, { digits: 0 })}
          />
          <p className="text-xs text-muted">
            {holdback === 0
              ? "None: everybody gets the new version. A guard can compare with the past only; it may alert, and never rolls back."
              : `${formatPercent(holdback, { digits: 0 })} of the sessions, chosen by chance, stay with the version before, and a guard compares the scores of both until it can decide.`}
          </p>
        </div>
        {needsReason && (
          <ReasonField
            value={reason}
            onValueChange={setReason}
            required
            label="Why accept it without proof?"
            hint="Everybody sees it on the change set, and the audit log keeps it."
          />
        )}
        {accept.error && <ProblemNotice error={accept.error} />}
      </div>
    </Dialog>
  );
}
