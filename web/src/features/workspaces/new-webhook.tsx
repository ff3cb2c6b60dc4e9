import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useWorkspaceId } from "@/api/access";
import { http, type Schemas } from "@/api/client";
import { MultiSelect } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Segmented } from "@/components/ui/segmented";

type Kind = Schemas["WebhookKind"];

const KINDS: { value: Kind; label: string }[] = [
  { value: "http", label: "HTTPS" },
  { value: "slack", label: "Slack" },
  { value: "email", label: "E-mail" },
];

// The compiler refuses a list in which an event of the API is missing.
const EVENTS: Record<Exclude<Schemas["EventType"], "webhook.ping">, string> = {
  "agent.promoted": "An agent's version was promoted",
  "changeset.accepted": "A change set was accepted",
  "changeset.applied": "A change set was applied",
  "changeset.proposed": "A change set was proposed",
  "changeset.rejected": "A change set was rejected",
  "changeset.rolled_back": "A change set was rolled back",
  "changeset.validated": "A holdout was looked at",
  "experiment.finished": "An experiment has ended",
  "guard.alerted": "The guard found a regression",
  "guard.released": "The guard let a version go",
  "guard.rolled_back": "The guard rolled a version back",
  "key.created": "A key was made",
  "key.revoked": "A key was revoked",
  "scan.finished": "A scan has ended",
  "scan.phase_started": "A scan's phase has begun",
  "scan.schedule_refused": "A scheduled scan was refused",
  "workflow.interrupt_requested": "A workflow asks somebody",
  "workflow.run_finished": "A run has ended",
  "workspace.member_changed": "A member was added, changed or removed",
};

type Props = { onClose: () => void; onCreated: (webhook: Schemas["WebhookCreated"]) => void };

export function NewWebhook({ onClose, onCreated }: Props) {
  const workspace_id = useWorkspaceId();
  const [kind, setKind] = useState<Kind>("http");
  const [name, setName] = useState("");
  const [target, setTarget] = useState("");
  const [events, setEvents] = useState<string[]>([]);
  const create = useMutation({
    mutationFn: async () =>
      (
        await http.POST("/api/v1/workspaces/{workspace_id}/webhooks", {
          params: { path: { workspace_id } },
          body: {
            kind,
            name,
            url: kind === "email" ? null : target,
            email: kind === "email" ? target : null,
            events: events.length === 0 ? ["*"] : (events as Schemas["EventType"][]),
          },
        })
      ).data!,
    onSuccess: onCreated,
  });

  return (
    <FormDialog
      title="New webhook"
      submitLabel="Make the webhook"
      pending={create.isPending}
      error={create.error}
      onClose={onClose}
      onSubmit={() => create.mutate()}
    >
      <Segmented label="Kind" value={kind} onValueChange={setKind} options={KINDS} />
      <Field label="Name" required>
        {(control) => <Input {...control} required autoFocus value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label={kind === "email" ? "Address" : "URL"} required>
        {(control) => (
          <Input
            {...control}
            required
            type={kind === "email" ? "email" : "url"}
            placeholder={kind === "email" ? "team@example.com" : "https://…"}
            value={target}
            onChange={(event) => setTarget(event.target.value)}
          />
        )}
      </Field>
      <Field label="Events" hint="None chosen means all of them, also those that come later.">
        {(control) => (
          <MultiSelect
            {...control}
            values={events}
            onValuesChange={setEvents}
            placeholder="All"
            options={Object.entries(EVENTS).map(([value, label]) => ({ value, label, hint: value }))}
          />
        )}
      </Field>
    </FormDialog>
  );
}
