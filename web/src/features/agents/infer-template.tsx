import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { formatCount, formatPercent, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Textarea } from "@/components/ui/textarea";
import { MessageView } from "./templates/message-view";
import { useAgentPath, useRefreshAgents } from "./use-agent-path";

const route = getRouteApi("/w/$workspaceId/agents/$agentId");
const INFER = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/infer-template";

/** Recovers the prompt that an agent runs with from what its traces show of it. */
export function InferTemplateDialog({ agent, onClose }: { agent: Schemas["AgentOut"]; onClose: () => void }) {
  const path = useAgentPath();
  const navigate = route.useNavigate();
  const refresh = useRefreshAgents();
  const [traces, setTraces] = useState("");
  const [model, setModel] = useState("");
  const look = api.useMutation("post", INFER);
  const keep = api.useMutation("post", INFER, {
    onSuccess: async ({ stored_version: version }) => {
      await refresh();
      if (version === null) return;
      toast.success(`Kept as version ${version}`);
      onClose();
      await navigate({ search: { version } });
    },
  });
  const found = look.data;
  const ids = traces.split(/[\s,]+/).filter(Boolean);
  const body = (store: boolean) => ({ store, trace_ids: ids.length > 0 ? ids : null, model: model.trim() === "" ? null : model.trim() });
  const error = keep.error ?? look.error;
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      size="lg"
      title={`Recover the template of ${agent.name}`}
      description="Puts 3 to 500 observed prompts side by side and tells their fixed text from what varies."
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          keep.reset();
          look.mutate({ params: { path }, body: body(false) });
        }}
      >
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Traces" hint="Their ids, 3 to 500. Left empty, the agent's newest live traces.">
            {(control) => <Textarea {...control} rows={2} className="font-mono text-xs" value={traces} onChange={(event) => setTraces(event.target.value)} />}
          </Field>
          <Field label="Model of the kept version" hint="Left empty, the one seen most often.">
            {(control) => <Input {...control} value={model} maxLength={200} onChange={(event) => setModel(event.target.value)} />}
          </Field>
        </div>
        {error && <ProblemNotice error={error} />}
        {found && <Found found={found} />}
        {found && agent.latest_version === null && (
          <p className="text-sm text-muted">
            Kept, it is version 1 and live in production at once
            {agent.runtime === "observed" && "; the platform executes the agent as a replica from then on"}.
          </p>
        )}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" variant={found ? "secondary" : "primary"} pending={look.isPending}>
            {found ? "Look again" : "Recover the template"}
          </Button>
          {found && (
            <Button
              variant="primary"
              pending={keep.isPending}
              onClick={() => keep.mutate({ params: { path }, body: body(true) })}
            >
              Keep as a config version
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

function Found({ found }: { found: Schemas["InferredTemplateOut"] }) {
  return (
    <section aria-label="What was recovered" className="flex min-w-0 flex-col gap-3">
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        <Stat
          label="Coverage"
          value={formatPercent(found.coverage)}
          hint={`${formatCount(found.reproduced)} of ${pluralise(found.prompts, "prompt")} to the letter`}
          tone={found.coverage >= 0.9 ? "good" : found.coverage >= 0.5 ? "warn" : "bad"}
        />
        <Stat label="Other shape" value={formatCount(found.other_shape)} hint="Other roles in another order" />
        <Stat label="Unreadable" value={formatCount(found.unreadable)} hint="Without content, or more than text" />
        <Stat label="Model" value={<span className="text-sm font-medium">{found.model ?? "unknown"}</span>} hint="Seen most often" />
      </div>
      <p className="flex flex-wrap items-center gap-1 text-xs text-muted">
        Variables:
        {found.variables.length === 0 ? " none" : found.variables.map((variable) => <Badge key={variable}>{variable}</Badge>)}
      </p>
      <MessageView messages={found.messages} />
      {found.coverage < 0.5 && <p className="text-sm text-muted">A template that reproduces less than half of the prompts is not kept.</p>}
    </section>
  );
}
