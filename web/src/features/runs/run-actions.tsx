import { useMutation } from "@tanstack/react-query";
import { Ellipsis, Pause, Play } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Menu } from "@/components/ui/menu";
import { Segmented } from "@/components/ui/segmented";
import { actionsOf, hasEnded } from "./run-standing";

type Run = Schemas["RunOut"];
type Asked = { action: "pause" | "resume" | "terminate" | "restart" | "delete"; key: string };

export type RunActionsProps = {
  workspaceId: string;
  run: Run;
  onSignal: () => void;
  onReplay: () => void;
  onCheckpoints: () => void;
  /** With the run as the server has it now. */
  onDone: (run: Run) => void;
  onDeleted: () => void;
};

/** What the run's status allows; each behind a dialog that says what will happen. */
export function RunActions({ workspaceId, run, onSignal, onReplay, onCheckpoints, onDone, onDeleted }: RunActionsProps) {
  const may = useMay("write:workspace");
  const allowed = actionsOf(run);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [reason, setReason] = useState("");
  const [mode, setMode] = useState<"boundary" | "now">("boundary");
  const act = useMutation({
    mutationFn: async ({ action, key }: Asked) => {
      const params = { path: { workspace_id: workspaceId, run_id: run.id } };
      const headers = { "Idempotency-Key": key };
      const why = reason === "" ? null : reason;
      if (action === "pause") return (await http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/pause", { params, body: { mode, reason: why } })).data!;
      if (action === "resume") return (await http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/resume", { params, headers, body: {} })).data!;
      if (action === "terminate") return (await http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/terminate", { params, body: { reason: why } })).data!;
      if (action === "restart") return (await http.POST("/api/v1/workspaces/{workspace_id}/runs/{run_id}/restart", { params, headers, body: {} })).data!;
      await http.DELETE("/api/v1/workspaces/{workspace_id}/runs/{run_id}", { params });
      return null;
    },
    onSuccess: (after, { action }) => {
      toast.success(DONE[action]);
      setAsked(null);
      if (after === null) onDeleted();
      else onDone(after);
    },
  });
  const ask = (action: Asked["action"]) => {
    act.reset();
    setReason("");
    setMode(run.status === "pausing" ? "now" : "boundary");
    setAsked({ action, key: idempotencyKey() });
  };
  const title = may ? undefined : lacking("write:workspace");
  const more = (
    [
      ["signal", "Send a signal…", onSignal],
      ["replay", "Replay from a step…", onReplay],
      ["fork", "Fork from a checkpoint…", onCheckpoints],
      ["restart", "Restart…", () => ask("restart")],
      ["terminate", "Terminate…", () => ask("terminate")],
      ["delete", "Delete…", () => ask("delete")],
    ] as const
  ).filter(([action]) => allowed.has(action));
  const now = asked?.action;
  return (
    <>
      {allowed.has("resume") && (
        <Button variant="primary" disabled={!may} title={title} onClick={() => ask("resume")}>
          <Play aria-hidden />
          Resume
        </Button>
      )}
      {allowed.has("pause") && (
        <Button disabled={!may} title={title} onClick={() => ask("pause")}>
          <Pause aria-hidden />
          Pause
        </Button>
      )}
      {more.length > 0 && (
        <Menu
          label="More actions"
          trigger={
            <Button size="icon" aria-label="More actions" title={title} disabled={!may} className="size-8">
              <Ellipsis aria-hidden />
            </Button>
          }
          items={more.map(([action, label, onSelect]) => ({ label, onSelect, danger: action === "terminate" || action === "delete" }))}
        />
      )}
      <ConfirmDialog
        open={asked !== null}
        onOpenChange={(open) => !open && setAsked(null)}
        title={now === undefined ? "" : TITLES[now]}
        confirmLabel={now === undefined ? "" : CONFIRMS[now]}
        danger={now === "terminate" || now === "delete" || (now === "restart" && !hasEnded(run.status))}
        pending={act.isPending}
        error={act.error}
        onConfirm={() => asked !== null && act.mutate(asked)}
      >
        {now === "pause" && (
          <>
            <p>Timers run on while it is paused, and signals and answers are kept for it.</p>
            <Segmented label="Steps in flight" value={mode} onValueChange={setMode} options={[{ value: "boundary", label: "Let steps end", disabled: run.status === "pausing" }, { value: "now", label: "Stop steps now" }]} />
            <p>{mode === "boundary" ? "The steps in flight end first." : "The steps in flight are stopped, and done again after the resume."}</p>
          </>
        )}
        {now === "resume" && <p>It goes on where it stood. What came in the meantime, signals, answers and timers, is looked at first.</p>}
        {now === "terminate" && <p>It ends for good, with the sub-workflows that it waits for. What comes back later changes nothing; only a restart begins it again.</p>}
        {now === "restart" && (
          <p>
            The same run begins again: same id, inputs and version, as generation {run.generation + 1}, with none of the signals and answers of before.{" "}
            {hasEnded(run.status) ? "What it did before stays readable." : "What it does now is stopped, and stays readable."}
          </p>
        )}
        {now === "delete" && <p>The run is forgotten, with its inputs, outputs, steps, checkpoints and events. This cannot be undone. Its trace stays.</p>}
        {(now === "pause" || now === "terminate") && (
          <Field label="Reason">
            {(control) => <Input {...control} autoComplete="off" value={reason} onChange={(event) => setReason(event.target.value)} />}
          </Field>
        )}
      </ConfirmDialog>
    </>
  );
}

const DONE: Record<Asked["action"], string> = {
  pause: "Asked to pause",
  resume: "Run resumed",
  terminate: "Run terminated",
  restart: "Run restarted",
  delete: "Run deleted",
};
const TITLES: Record<Asked["action"], string> = {
  pause: "Pause this run?",
  resume: "Resume this run?",
  terminate: "Terminate this run?",
  restart: "Restart this run?",
  delete: "Delete this run?",
};
const CONFIRMS: Record<Asked["action"], string> = {
  pause: "Pause the run",
  resume: "Resume the run",
  terminate: "Terminate the run",
  restart: "Restart the run",
  delete: "Delete the run",
};
