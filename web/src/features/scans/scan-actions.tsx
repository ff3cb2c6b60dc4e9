import { useQueryClient } from "@tanstack/react-query";
import { Pause, Play, Square } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api } from "@/api/client";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import type { ScanStatus } from "./scan-words";

export interface ScanActionsProps {
  workspaceId: string;
  scanId: string;
  status: ScanStatus;
}

type Action = "pause" | "resume" | "cancel";

const DONE: Record<Action, string> = { pause: "Scan paused", resume: "Scan resumed", cancel: "Scan cancelled" };

export function ScanActions({ workspaceId, scanId, status }: ScanActionsProps) {
  const [asked, setAsked] = useState<Action | null>(null);
  const queries = useQueryClient();
  const may = useMay("write:workspace");
  const onSuccess = (action: Action) => () => {
    setAsked(null);
    toast.success(DONE[action]);
    void queries.invalidateQueries({ queryKey: ["get", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}"] });
    void queries.invalidateQueries({ queryKey: ["get", "/api/v1/workspaces/{workspace_id}/scans"] });
  };
  const pause = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}/pause", { onSuccess: onSuccess("pause") });
  const resume = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}/resume", { onSuccess: onSuccess("resume") });
  const cancel = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/scans/{scan_id}/cancel", { onSuccess: onSuccess("cancel") });
  const params = { params: { path: { workspace_id: workspaceId, scan_id: scanId } } };
  const ask = (action: Action) => () => {
    for (const one of [pause, resume, cancel]) one.reset();
    setAsked(action);
  };
  const dialog = (action: Action) => ({
    open: asked === action,
    onOpenChange: (open: boolean) => setAsked(open ? action : null),
  });
  const title = may ? undefined : lacking("write:workspace");
  return (
    <>
      {(status === "running" || status === "queued") && (
        <Button disabled={!may} title={title} onClick={ask("pause")}>
          <Pause aria-hidden />
          Pause
        </Button>
      )}
      {(status === "paused" || status === "failed") && (
        <Button variant="primary" disabled={!may} title={title} onClick={ask("resume")}>
          <Play aria-hidden />
          Resume
        </Button>
      )}
      {(status === "running" || status === "queued" || status === "paused") && (
        <Button variant="danger-ghost" disabled={!may} title={title} onClick={ask("cancel")}>
          <Square aria-hidden />
          Cancel scan
        </Button>
      )}
      <ConfirmDialog {...dialog("pause")} title="Pause this scan?" confirmLabel="Pause the scan" pending={pause.isPending} error={pause.error} onConfirm={() => pause.mutate(params)}>
        <p>Nothing new begins. Calls that are in flight end and are recorded, since they are paid for.</p>
        <p>A paused scan holds no slot and costs nothing, for as long as you like. Its result will be the one that it would have had.</p>
      </ConfirmDialog>
      <ConfirmDialog {...dialog("resume")} title={status === "failed" ? "Try this scan again?" : "Resume this scan?"} confirmLabel="Resume the scan" pending={resume.isPending} error={resume.error} onConfirm={() => resume.mutate(params)}>
        <p>{status === "failed" ? "It begins the phase again that broke." : "It goes on where it was."} Whatever was recorded is read and not paid for again; the budget stays the same.</p>
      </ConfirmDialog>
      <ConfirmDialog {...dialog("cancel")} title="Cancel this scan?" confirmLabel="Cancel the scan" danger pending={cancel.isPending} error={cancel.error} onConfirm={() => cancel.mutate(params)}>
        <p>It ends for good and cannot be resumed. What it measured can still be read.</p>
        <p>If it is looking at the holdout, the look is cancelled without a verdict and can be taken up on the change set.</p>
      </ConfirmDialog>
    </>
  );
}
