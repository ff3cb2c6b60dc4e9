import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, profileQuery, useMay, useProfile, useStanding, useWorkspaceId } from "@/api/access";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { PendingInvites } from "@/features/workspaces/pending-invites";
import { ROLES } from "@/features/workspaces/roles";

type Member = Schemas["WorkspaceMemberOut"];

const LIST = "/api/v1/workspaces/{workspace_id}/members";
const ONE = "/api/v1/workspaces/{workspace_id}/members/{user_id}";
const INVITES = "/api/v1/account/invites";

export function MemberSettingsPage() {
  const workspace_id = useWorkspaceId();
  const mayChange = useMay("admin:workspace");
  const standing = useStanding();
  const profile = useProfile();
  const owns = profile?.accounts.find((one) => one.account_id === standing?.account_id)?.role === "owner";
  const queries = useQueryClient();
  const members = api.useQuery("get", LIST, { params: { path: { workspace_id }, query: { limit: 100 } } }, { enabled: mayChange });
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Member | null>(null);
  const refresh = () =>
    Promise.all([queries.invalidateQueries({ queryKey: ["get", LIST] }), queries.invalidateQueries(profileQuery)]);

  const change = useMutation({
    mutationFn: ({ user_id, role }: { user_id: string; role: Member["role"] }) =>
      http.PATCH(ONE, { params: { path: { workspace_id, user_id } }, body: { role } }),
    onSuccess: refresh,
    onError: (error) => toast.error(error.message),
  });
  const remove = useMutation({
    mutationFn: ({ user_id }: Member) => http.DELETE(ONE, { params: { path: { workspace_id, user_id } } }),
    onSuccess: async (_, member) => {
      setRemoving(null);
      toast.success(`${member.email} is out of this workspace`);
      await refresh();
    },
  });

  return (
    <div className="flex flex-col gap-4">
      <Panel
        title="Members"
        description="Owners of the account are in every workspace."
        padded={!mayChange || members.isPending}
        actions={
          <Button variant="primary" disabled={!mayChange} title={mayChange ? undefined : lacking("admin:workspace")} onClick={() => setAdding(true)}>
            Add or invite
          </Button>
        }
      >
        {!mayChange ? (
          <p className="text-muted">{lacking("admin:workspace")}.</p>
        ) : members.error !== null ? (
          <ProblemNotice error={members.error} retry={() => void members.refetch()} />
        ) : members.isPending ? (
          <SkeletonRows rows={3} />
        ) : (
          <Table aria-label="Members">
            <TableHead>
              <TableRow>
                <TableHeader>Person</TableHeader>
                <TableHeader>Role</TableHeader>
                <TableHeader>Since</TableHeader>
                <TableHeader>
                  <span className="sr-only">Actions</span>
                </TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {members.data.results.map((member) => (
                <TableRow key={member.user_id}>
                  <TableCell>
                    <span className="font-medium">{member.name ?? member.email}</span>
                    {member.name !== null && <span className="block text-xs text-muted">{member.email}</span>}
                  </TableCell>
                  <TableCell>
                    {member.via === "account" ? (
                      <span className="text-muted">Owner of the account</span>
                    ) : (
                      <Select
                        size="sm"
                        label={`Role of ${member.email}`}
                        value={member.role}
                        options={ROLES}
                        disabled={change.isPending}
                        onValueChange={(role) => change.mutate({ user_id: member.user_id, role })}
                      />
                    )}
                  </TableCell>
                  <TableCell>
                    <Time at={member.joined_at} />
                  </TableCell>
                  <TableCell align="right">
                    {member.via === "workspace" && (
                      <Button size="sm" variant="danger-ghost" onClick={() => setRemoving(member)} aria-label={`Remove ${member.email}`}>
                        Remove
                      </Button>
                    )}
                  </TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
      {owns && <PendingInvites />}
      {adding && (
        <AddMember
          owns={owns}
          onClose={() => setAdding(false)}
          onDone={async (said) => {
            setAdding(false);
            toast.success(said);
            await Promise.all([refresh(), queries.invalidateQueries({ queryKey: ["get", INVITES] })]);
          }}
        />
      )}
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={(open) => !open && setRemoving(null)}
        title={`Remove ${removing?.email ?? ""}`}
        confirmLabel="Remove"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => removing !== null && remove.mutate(removing)}
      >
        <p>They lose this workspace within a second, also in pages that are open. They stay in the account.</p>
      </ConfirmDialog>
    </div>
  );
}

type AddProps = { owns: boolean; onClose: () => void; onDone: (said: string) => void };

/** Somebody of the account is added; anybody else gets an invite, which only an owner of the account may send. */
function AddMember({ owns, onClose, onDone }: AddProps) {
  const workspace_id = useWorkspaceId();
  const [intent] = useState(idempotencyKey);
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Member["role"]>("contributor");
  const add = useMutation({
    mutationFn: () =>
      http.POST(LIST, {
        params: { path: { workspace_id } },
        headers: { "Idempotency-Key": intent },
        body: { email, role },
      }),
    onSuccess: () => onDone(`${email} is in this workspace`),
  });
  const invite = useMutation({
    mutationFn: () =>
      http.POST(INVITES, {
        body: { email, role: "member", workspaces: [{ workspace_id, role }] },
      }),
    onSuccess: () => onDone(`An invite is on its way to ${email}`),
  });
  const pending = add.isPending || invite.isPending;
  const problem = invite.error ?? add.error;

  function submit(event: FormEvent) {
    event.preventDefault();
    add.mutate();
  }

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Add or invite"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          {owns && (
            <Button pending={invite.isPending} disabled={pending || email === ""} onClick={() => invite.mutate()}>
              Send an invite
            </Button>
          )}
          <Button variant="primary" type="submit" form="add-member" pending={add.isPending} disabled={pending}>
            Add
          </Button>
        </>
      }
    >
      <form id="add-member" onSubmit={submit} className="flex flex-col gap-4">
        <Field
          label="E-mail"
          hint={owns ? "Who is in the account already is added; send everybody else an invite." : "Of somebody who is in the account already; only an owner may invite others."}
          required
        >
          {(control) => <Input {...control} type="email" autoFocus required value={email} onChange={(event) => setEmail(event.target.value)} />}
        </Field>
        <Field label="Role">{(control) => <Select {...control} value={role} onValueChange={setRole} options={ROLES} />}</Field>
        {problem !== null && <ProblemNotice error={problem} />}
      </form>
    </Dialog>
  );
}
