import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { useProfile } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { useIsOwner } from "@/features/account/use-owner";

type Member = Schemas["MemberOut"];

const MEMBERS = "/api/v1/account/members";
const INVITES = "/api/v1/account/invites";
const ROLES = [
  { value: "owner", label: "Owner", hint: "Everything, in every workspace" },
  { value: "member", label: "Member", hint: "What their workspaces grant" },
] as const;

export function PeopleSection() {
  const owns = useIsOwner();
  if (owns === undefined) return <SkeletonRows rows={3} />;
  if (!owns) {
    return (
      <Panel title="People">
        <p className="text-muted">Owners see and change who is in the account.</p>
      </Panel>
    );
  }
  return (
    <>
      <Members />
      <Invites />
    </>
  );
}

function Members() {
  const me = useProfile()?.user_id;
  const queries = useQueryClient();
  const members = api.useQuery("get", MEMBERS, { params: { query: { limit: 100 } } });
  const [removing, setRemoving] = useState<Member | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", MEMBERS] });
  const change = useMutation({
    mutationFn: ({ user_id, role }: { user_id: string; role: "owner" | "member" }) =>
      http.PATCH("/api/v1/account/members/{user_id}", { params: { path: { user_id } }, body: { role } }),
    onSuccess: refresh,
    onError: (error) => toast.error(error.message),
  });
  const remove = useMutation({
    mutationFn: ({ user_id }: Member) => http.DELETE("/api/v1/account/members/{user_id}", { params: { path: { user_id } } }),
    onSuccess: async (_, member) => {
      setRemoving(null);
      toast.success(`${member.email} is out of the account`);
      await refresh();
    },
  });
  return (
    <Panel title="People" padded={false}>
      {members.error !== null ? (
        <div className="p-3">
          <ProblemNotice error={members.error} retry={() => void members.refetch()} />
        </div>
      ) : members.isPending ? (
        <SkeletonRows rows={3} />
      ) : (
        <Table aria-label="People">
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
                  {member.role === "operations" ? (
                    "Operations"
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
                  <Button
                    size="sm"
                    variant="danger-ghost"
                    aria-label={member.user_id === me ? "Leave the account" : `Remove ${member.email}`}
                    onClick={() => setRemoving(member)}
                  >
                    {member.user_id === me ? "Leave" : "Remove"}
                  </Button>
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
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
        <p>They lose every workspace of the account within a second.</p>
      </ConfirmDialog>
    </Panel>
  );
}

function Invites() {
  const queries = useQueryClient();
  const invites = api.useQuery("get", INVITES, { params: { query: { limit: 100 } } });
  const [inviting, setInviting] = useState(false);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", INVITES] });
  const revoke = useMutation({
    mutationFn: (invite: Schemas["InviteOut"]) =>
      http.DELETE("/api/v1/account/invites/{invite_id}", { params: { path: { invite_id: invite.id } } }),
    onSuccess: refresh,
    onError: (error) => toast.error(error.message),
  });
  const list = invites.data?.results ?? [];
  return (
    <Panel
      title="Invites"
      padded={list.length === 0}
      actions={
        <Button variant="primary" onClick={() => setInviting(true)}>
          Invite somebody
        </Button>
      }
    >
      {invites.error !== null ? (
        <ProblemNotice error={invites.error} retry={() => void invites.refetch()} />
      ) : invites.isPending ? (
        <SkeletonRows rows={2} />
      ) : list.length === 0 ? (
        <p className="text-muted">Nobody was invited yet.</p>
      ) : (
        <Table aria-label="Invites">
          <TableHead>
            <TableRow>
              <TableHeader>E-mail</TableHeader>
              <TableHeader>Role</TableHeader>
              <TableHeader>State</TableHeader>
              <TableHeader>Ends</TableHeader>
              <TableHeader>
                <span className="sr-only">Actions</span>
              </TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {list.map((invite) => (
              <TableRow key={invite.id}>
                <TableCell className="font-medium">{invite.email}</TableCell>
                <TableCell>{invite.role}</TableCell>
                <TableCell>
                  <StatusBadge status={invite.status} />
                </TableCell>
                <TableCell>
                  <Time at={invite.expires_at} />
                </TableCell>
                <TableCell align="right">
                  {invite.status === "pending" && (
                    <Button size="sm" variant="danger-ghost" pending={revoke.isPending && revoke.variables.id === invite.id} onClick={() => revoke.mutate(invite)}>
                      Revoke
                    </Button>
                  )}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
      {inviting && (
        <Invite
          onClose={() => setInviting(false)}
          onDone={async (email) => {
            setInviting(false);
            toast.success(`An invite is on its way to ${email}`);
            await refresh();
          }}
        />
      )}
    </Panel>
  );
}

function Invite({ onClose, onDone }: { onClose: () => void; onDone: (email: string) => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<"owner" | "member">("member");
  const invite = useMutation({
    mutationFn: () => http.POST(INVITES, { body: { email, role } }),
    onSuccess: () => onDone(email),
  });

  return (
    <FormDialog
      title="Invite somebody"
      description="Into the account. A workspace's settings invite into one workspace at once."
      submitLabel="Send the invite"
      pending={invite.isPending}
      error={invite.error}
      onClose={onClose}
      onSubmit={() => invite.mutate()}
    >
      <Field label="E-mail" required>
        {(control) => <Input {...control} type="email" autoFocus required value={email} onChange={(event) => setEmail(event.target.value)} />}
      </Field>
      <Field label="Role">{(control) => <Select {...control} value={role} onValueChange={setRole} options={ROLES} />}</Field>
    </FormDialog>
  );
}
