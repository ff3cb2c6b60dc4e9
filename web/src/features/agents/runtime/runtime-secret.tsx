import { KeyRound } from "lucide-react";
import { useState } from "react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { useAgentPath, useRefreshAgents } from "../use-agent-path";

/** The secret that signs what is posted to an agent with the runtime `http`. */
export function RuntimeSecret({ agent }: { agent: Schemas["AgentOut"] }) {
  const mayWrite = useMay("write:workspace");
  const [open, setOpen] = useState(false);
  return (
    <Panel
      title="Signing secret"
      description="Every request to the address is signed with it, as Standard Webhooks has it. It is shown once."
      actions={
        <Button size="sm" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} onClick={() => setOpen(true)}>
          <KeyRound aria-hidden />
          {agent.has_secret ? "Replace the secret…" : "Make a secret…"}
        </Button>
      }
    >
      {agent.has_secret ? <Badge tone="good">A secret is set</Badge> : <Badge tone="warn">No secret yet: nothing can be signed, so nothing is posted</Badge>}
      <Dialog
        open={open}
        onOpenChange={setOpen}
        title={agent.has_secret ? "Replace the signing secret" : "Make a signing secret"}
        description={agent.has_secret ? "The secret before stops to count at once." : undefined}
      >
        {open && <SecretForm onClose={() => setOpen(false)} />}
      </Dialog>
    </Panel>
  );
}

function SecretForm({ onClose }: { onClose: () => void }) {
  const path = useAgentPath();
  const refresh = useRefreshAgents();
  const [own, setOwn] = useState("");
  const make = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/runtime-secret", { onSuccess: refresh });
  if (make.data) {
    return (
      <div className="flex flex-col gap-3">
        <p className="text-sm">Copy it now: it is not shown again.</p>
        <CodeBlock code={make.data.secret} language="Secret" wrap />
        <Button className="self-end" variant="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    );
  }
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate({ params: { path }, body: { secret: own.trim() === "" ? null : own.trim() } });
      }}
    >
      <Field label="Secret of your own" hint="Begins with whsec_, and Base64 follows. Left empty, one is made.">
        {(control) => (
          <Input {...control} value={own} onChange={(event) => setOwn(event.target.value)} autoComplete="off" spellCheck={false} className="font-mono" />
        )}
      </Field>
      {make.error && <ProblemNotice error={make.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" pending={make.isPending}>
          {own.trim() === "" ? "Make a secret" : "Set this secret"}
        </Button>
      </div>
    </form>
  );
}
