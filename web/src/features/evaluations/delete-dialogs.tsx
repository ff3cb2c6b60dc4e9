import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { http, type Schemas } from "@/api/client";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { refreshEvaluations, type RubricPath } from "./queries";

interface DeleteProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDeleted: () => void;
}

export function DeleteRubricDialog({ path, rubric, open, onOpenChange, onDeleted }: DeleteProps & { path: RubricPath; rubric: Schemas["RubricOut"] }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => http.DELETE("/api/v1/workspaces/{workspace_id}/evaluations/rubrics/{rubric_id}", { params: { path } }),
    onSuccess: () => {
      toast("Rubric deleted");
      onDeleted();
      void refreshEvaluations(queries);
    },
  });
  return (
    <ConfirmDialog open={open} onOpenChange={onOpenChange} title={`Delete “${rubric.name}”?`} confirmLabel="Delete the rubric" danger pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()}>
      All of its versions go. A rubric that something refers to, such as an experiment, a scan or an online evaluation, is refused.
    </ConfirmDialog>
  );
}

interface DeleteObjectiveProps extends DeleteProps {
  workspaceId: string;
  objective: Schemas["ObjectiveOut"];
}

export function DeleteObjectiveDialog({ workspaceId, objective, open, onOpenChange, onDeleted }: DeleteObjectiveProps) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () =>
      http.DELETE("/api/v1/workspaces/{workspace_id}/evaluations/objectives/{objective_id}", {
        params: { path: { workspace_id: workspaceId, objective_id: objective.id } },
      }),
    onSuccess: () => {
      toast("Objective deleted");
      onDeleted();
      void refreshEvaluations(queries);
    },
  });
  return (
    <ConfirmDialog open={open} onOpenChange={onOpenChange} title={`Delete “${objective.name}”?`} confirmLabel="Delete the objective" danger pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()}>
      Scans and experiments keep a copy of what it said when they started. An objective that something refers to is refused.
    </ConfirmDialog>
  );
}
