import { useState } from "react";
import { lacking, useMay } from "@/api/access";
import { Button, type ButtonProps } from "@/components/ui/button";
import { AcceptDialog } from "./accept-dialog";
import { type Action, actionsIn } from "./changeset-states";
import { ApplyDialog, RejectDialog, RollbackDialog } from "./decision-dialogs";
import type { ChangesetDetail } from "./evidence-types";
import { LookButton } from "./look-dialog";

export interface ChangesetActionsProps {
  changeset: ChangesetDetail;
  agentName: string;
  liveVersion: number | null | undefined;
}

const BUTTONS: Record<Exclude<Action, "look">, { label: string; variant: ButtonProps["variant"] }> = {
  accept: { label: "Accept…", variant: "primary" },
  override: { label: "Accept without proof…", variant: "secondary" },
  apply: { label: "Apply to templates…", variant: "primary" },
  reject: { label: "Reject…", variant: "danger-ghost" },
  rollback: { label: "Roll back…", variant: "danger" },
};

/** What can be done in the change set's state, the likeliest last: it stands where buttons of a form stand. */
export function ChangesetActions({ changeset, agentName, liveVersion }: ChangesetActionsProps) {
  const may = useMay("approve:agents");
  // The dialog of an action stays mounted while it closes, and the state it belongs to may be over by then.
  const [open, setOpen] = useState<Action | null>(null);
  const dialog = (action: Action) => ({
    changeset,
    open: open === action,
    onOpenChange: (next: boolean) => setOpen(next ? action : null),
  });
  return (
    <>
      {actionsIn(changeset.state)
        .toReversed()
        .map((action) =>
          action === "look" ? (
            <LookButton key={action} changeset={changeset} />
          ) : (
            <Button
              key={action}
              variant={BUTTONS[action].variant}
              disabled={!may}
              title={may ? undefined : lacking("approve:agents")}
              onClick={() => setOpen(action)}
            >
              {BUTTONS[action].label}
            </Button>
          ),
        )}
      <AcceptDialog {...dialog("accept")} agentName={agentName} liveVersion={liveVersion} proven />
      <AcceptDialog {...dialog("override")} agentName={agentName} liveVersion={liveVersion} proven={false} />
      <ApplyDialog {...dialog("apply")} />
      <RejectDialog {...dialog("reject")} />
      <RollbackDialog {...dialog("rollback")} agentName={agentName} />
    </>
  );
}
