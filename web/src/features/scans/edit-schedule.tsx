import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { FormDialog } from "@/components/ui/form-dialog";
import { ScheduleFields, type ScheduleDraft, refusedSchedule, scheduleErrors } from "./schedule-fields";

export interface EditScheduleDialogProps {
  workspaceId: string;
  schedule: Schemas["ScheduleOut"];
  onClose: () => void;
  onSaved: () => void;
}

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
    <FormDialog
      size="lg"
      title={`Edit “${schedule.name}”`}
      description="What it runs stays as it is; for another scan create another schedule."
      className="gap-3"
      submitLabel="Save"
      disabled={Object.keys(own).length > 0}
      pending={save.isPending}
      error={placed ? null : save.error}
      onClose={onClose}
      onSubmit={() =>
        save.mutate({ params: { path: { workspace_id: workspaceId, schedule_id: schedule.id } }, body: { name: draft.name, cron: draft.cron, time_zone: draft.timeZone } })
      }
    >
      <ScheduleFields
        draft={draft}
        errors={{ ...refused, ...own }}
        onChange={(next) => {
          save.reset();
          setDraft((before) => ({ ...before, ...next }));
        }}
      />
    </FormDialog>
  );
}
