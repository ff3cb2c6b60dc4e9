import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { profileQuery } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { CopyButton } from "@/components/copy-button";
import { pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";

const PATH = "/api/v1/auth/second-factor";
type Asking = "enable" | "renew" | "remove";

/** Time-based codes of an authenticator app (RFC 6238), with recovery codes. */
export function SecondFactor() {
  const queries = useQueryClient();
  const factor = api.useQuery("get", PATH);
  const [asking, setAsking] = useState<Asking | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);

  async function done(recovery: string[] | null) {
    setAsking(null);
    setCodes(recovery);
    await Promise.all([queries.invalidateQueries({ queryKey: ["get", PATH] }), queries.invalidateQueries(profileQuery)]);
  }

  return (
    <Panel
      title="Second factor"
      description="A code of an authenticator app, besides your password."
      actions={factor.data !== undefined && <Badge tone={factor.data.enabled ? "good" : "neutral"}>{factor.data.enabled ? "on" : "off"}</Badge>}
    >
      {factor.error !== null && <ProblemNotice error={factor.error} retry={() => void factor.refetch()} />}
      {factor.data?.enabled === true && (
        <div className="flex flex-wrap items-center gap-3">
          <span className="flex-1">{pluralise(factor.data.recovery_codes_left, "recovery code")} left.</span>
          <Button onClick={() => setAsking("renew")}>New recovery codes…</Button>
          <Button variant="danger-ghost" onClick={() => setAsking("remove")}>
            Switch off…
          </Button>
        </div>
      )}
      {factor.data?.enabled === false && (
        <Button variant="primary" onClick={() => setAsking("enable")}>
          Switch on…
        </Button>
      )}
      {asking === "enable" && <Enable onClose={() => setAsking(null)} onDone={done} />}
      {asking === "renew" && (
        <WithCode
          title="New recovery codes"
          description="The old ones stop working."
          action="Make new codes"
          onClose={() => setAsking(null)}
          run={async (code) => (await http.POST("/api/v1/auth/second-factor/recovery-codes", { body: { code } })).data!.recovery_codes}
          onDone={done}
        />
      )}
      {asking === "remove" && (
        <WithCode
          title="Switch the second factor off"
          description="Your password alone will sign you in."
          action="Switch off"
          danger
          onClose={() => setAsking(null)}
          run={async (code) => {
            await http.DELETE(PATH, { params: { header: { "X-Second-Factor-Code": code } } });
            return null;
          }}
          onDone={done}
        />
      )}
      {codes !== null && (
        <Dialog
          open
          onOpenChange={(open) => !open && setCodes(null)}
          title="Your recovery codes"
          description="Each works once, when your authenticator app is out of reach. They are shown this once."
          footer={
            <Button variant="primary" onClick={() => setCodes(null)}>
              I have kept them
            </Button>
          }
        >
          <CodeBlock code={codes.join("\n")} />
        </Dialog>
      )}
    </Panel>
  );
}

type EnableProps = { onClose: () => void; onDone: (codes: string[]) => void };

function Enable({ onClose, onDone }: EnableProps) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [enrolment, setEnrolment] = useState<Schemas["EnrolmentOut"] | null>(null);
  const start = useMutation({
    mutationFn: async () => (await http.POST(PATH, { body: { current_password: password || null } })).data!,
    onSuccess: setEnrolment,
  });
  const confirm = useMutation({
    mutationFn: async () => (await http.POST("/api/v1/auth/second-factor/confirm", { body: { code: code.trim() } })).data!,
    onSuccess: ({ recovery_codes }) => onDone(recovery_codes),
  });

  function submit() {
    if (enrolment === null) start.mutate();
    else confirm.mutate();
  }

  return (
    <FormDialog
      title="Switch the second factor on"
      submitLabel={enrolment === null ? "Go on" : "Switch on"}
      pending={start.isPending || confirm.isPending}
      error={confirm.error ?? start.error}
      onClose={onClose}
      onSubmit={submit}
    >
      {enrolment === null ? (
        <Field label="Your password" hint="Leave it empty if you have none and sign in with a provider.">
          {(control) => (
            <Input {...control} autoFocus type="password" autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
          )}
        </Field>
      ) : (
        <>
          <p>
            Add this key to your authenticator app, or{" "}
            <a href={enrolment.uri} className="text-accent underline underline-offset-2">
              open it there
            </a>
            .
          </p>
          <p className="flex items-center gap-2">
            <code className="font-mono text-base break-all">{enrolment.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
            <CopyButton text={enrolment.secret} label="Copy the key" />
          </p>
          <Field label="Code" hint="Of the app, for this account.">
            {(control) => (
              <Input {...control} autoFocus required autoComplete="one-time-code" inputMode="numeric" value={code} onChange={(event) => setCode(event.target.value)} />
            )}
          </Field>
        </>
      )}
    </FormDialog>
  );
}

type WithCodeProps = {
  title: string;
  description: string;
  action: string;
  danger?: boolean;
  run: (code: string) => Promise<string[] | null>;
  onClose: () => void;
  onDone: (codes: string[] | null) => void;
};

function WithCode({ title, description, action, danger, run, onClose, onDone }: WithCodeProps) {
  const [code, setCode] = useState("");
  const go = useMutation({ mutationFn: () => run(code.trim()), onSuccess: onDone });

  return (
    <FormDialog
      title={title}
      description={description}
      size="sm"
      className="gap-3"
      submitLabel={action}
      danger={danger}
      pending={go.isPending}
      error={go.error}
      onClose={onClose}
      onSubmit={() => go.mutate()}
    >
      <Field label="Code">
        {(control) => (
          <Input {...control} autoFocus required autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} />
        )}
      </Field>
    </FormDialog>
  );
}
