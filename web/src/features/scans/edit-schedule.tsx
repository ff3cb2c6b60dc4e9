import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ScheduleFields, type ScheduleDraft, refusedSchedule, scheduleErrors } from "./schedule-fields";

export interface EditScheduleDialogProps {
  workspaceId: string;
  schedule: Schemas["ScheduleOut"];
  onClose: () => void;
  onSaved: () => void;
}

const FORM = "edit-schedule";

export function EditScheduleDialog({ workspaceId, schedule, onClose, onSaved }: EditScheduleDialogProps) {
  const [draft, setDraft] = useState<ScheduleDraft>({ name: schedule.name, cron: schedule.cron, timeZone: schedule.time_zone });
  const own = scheduleErrors(draft);
  const save = api.useMutation("patch", "/api/v1/workspaces/{workspace_id}/scans/schedules/{schedule_id}", {
    onSuccess: () => {
      onSaved();
      onClose();
      toast.success("Schedule saved");
    },
  });
  const refused = refusedSchedule(save.error);
  const placed = save.error instanceof ApiProblem && Object.values(refused).some((one) => one !== undefined);
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      size="lg"
      title={`Edit “${schedule.name}”`}
      description="What it runs stays as it is; for another scan create another schedule."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={FORM} variant="primary" disabled={Object.keys(own).length > 0} pending={save.isPending}>
            Save
          </Button>
        </>
      }
    >
      <form
        id={FORM}
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ params: { path: { workspace_id: workspaceId, schedule_id: schedule.id } }, body: { name: draft.name, cron: draft.cron, time_zone: draft.timeZone } });
        }}
      >
        <ScheduleFields
          draft={draft}
          errors={{ ...refused, ...own }}
          onChange={(next) => {
            save.reset();
            setDraft((before) => ({ ...before, ...next }));
          }}
        />
        {save.error !== null && !placed && <ProblemNotice error={save.error} />}
      </form>
    </Dialog>
  );
}
