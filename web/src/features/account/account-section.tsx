import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { profileQuery } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { OWNERS_ONLY, useIsOwner } from "@/features/account/use-owner";

const ACCOUNT = "/api/v1/account";
const POLICY = "/api/v1/account/second-factor";
const SINGLE_SIGN_ON = "/api/v1/account/single-sign-on";
const NOBODY = "none";

export function AccountSection() {
  const account = api.useQuery("get", ACCOUNT);
  const owns = useIsOwner() === true;
  if (account.error !== null) return <ProblemNotice error={account.error} retry={() => void account.refetch()} />;
  if (account.isPending) return <SkeletonRows rows={4} />;
  return (
    <>
      <Naming key={account.data.name} account={account.data} owns={owns} />
      {owns && <SignInPolicy />}
      <Deletion account={account.data} owns={owns} />
    </>
  );
}

type Props = { account: Schemas["AccountOut"]; owns: boolean };

function Naming({ account, owns }: Props) {
  const queries = useQueryClient();
  const [name, setName] = useState(account.name);
  const save = useMutation({
    mutationFn: () => http.PATCH(ACCOUNT, { body: { name } }),
    onSuccess: async () => {
      toast.success("Saved");
      await Promise.all([queries.invalidateQueries({ queryKey: ["get", ACCOUNT] }), queries.invalidateQueries(profileQuery)]);
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate();
  }

  return (
    <Panel title="Account">
      <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
        <Field label="Name" required>
          {(control) => <Input {...control} required disabled={!owns} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        {save.error !== null && <ProblemNotice error={save.error} />}
        <div className="flex items-center gap-3">
          <Button
            variant="primary"
            type="submit"
            pending={save.isPending}
            disabled={!owns || name === account.name}
            title={owns ? undefined : `${OWNERS_ONLY} rename it`}
          >
            Save
          </Button>
          <span className="text-muted">
            Since <Time at={account.created_at} />
          </span>
        </div>
      </form>
    </Panel>
  );
}

function SignInPolicy() {
  const queries = useQueryClient();
  const policy = api.useQuery("get", POLICY);
  const singleSignOn = api.useQuery("get", SINGLE_SIGN_ON);
  const providers = api.useQuery("get", "/api/v1/auth/providers");
  const require = useMutation({
    mutationFn: (required: boolean) => http.PUT(POLICY, { body: { required } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", POLICY] }),
  });
  const choose = useMutation({
    mutationFn: (provider: string) => http.PUT(SINGLE_SIGN_ON, { body: { provider: provider === NOBODY ? null : provider } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", SINGLE_SIGN_ON] }),
  });
  const problem = policy.error ?? singleSignOn.error ?? require.error ?? choose.error;
  const found = providers.data?.results ?? [];
  return (
    <Panel title="How people sign in">
      <div className="flex max-w-md flex-col gap-4">
        {problem !== null && <ProblemNotice error={problem} />}
        <Switch
          label="Everybody needs a second factor"
          checked={policy.data?.required ?? false}
          disabled={policy.data === undefined || require.isPending}
          onCheckedChange={(required) => require.mutate(required)}
        />
        {found.length > 0 && (
          <Field label="Only through" hint="Members then sign in with this provider alone; passwords stop.">
            {(control) => (
              <Select
                {...control}
                value={singleSignOn.data?.provider ?? NOBODY}
                disabled={choose.isPending}
                onValueChange={(provider) => choose.mutate(provider)}
                options={[{ value: NOBODY, label: "Any way" }, ...found.map(({ name, title }) => ({ value: name, label: title }))]}
              />
            )}
          </Field>
        )}
      </div>
    </Panel>
  );
}

function Deletion({ account, owns }: Props) {
  const [asking, setAsking] = useState(false);
  const remove = useMutation({
    mutationFn: () => http.DELETE(ACCOUNT, { body: { confirm: account.name } }),
    onSuccess: () => location.assign("/sign-in"),
  });
  return (
    <Panel title="Delete the account" description="Every workspace goes with it, and everybody's access.">
      <Button variant="danger-ghost" disabled={!owns} title={owns ? undefined : `${OWNERS_ONLY} delete it`} onClick={() => setAsking(true)}>
        Delete the account…
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete ${account.name}`}
        confirmLabel="Delete everything"
        danger
        requireText={account.name}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate()}
      >
        <p>Every workspace with its traces, agents, samples, scans and keys is deleted, finally.</p>
      </ConfirmDialog>
    </Panel>
  );
}
