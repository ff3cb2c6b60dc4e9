import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { useWorkspaceId } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const LIST = "/api/v1/account/invites";

/** Invites into this workspace that nobody has accepted yet. */
export function PendingInvites() {
  const workspace_id = useWorkspaceId();
  const queries = useQueryClient();
  const invites = api.useQuery("get", LIST, { params: { query: { limit: 100 } } });
  const revoke = useMutation({
    mutationFn: (invite: Schemas["InviteOut"]) =>
      http.DELETE("/api/v1/account/invites/{invite_id}", { params: { path: { invite_id: invite.id } } }),
    onSuccess: async (_, invite) => {
      toast.success(`The invite of ${invite.email} is revoked`);
      await queries.invalidateQueries({ queryKey: ["get", LIST] });
    },
    onError: (error) => toast.error(error.message),
  });
  const pending = (invites.data?.results ?? []).filter(
    (one) => one.status === "pending" && one.workspaces.some((entered) => entered.workspace_id === workspace_id),
  );
  if (pending.length === 0) return null;
  return (
    <Panel title="Invited" padded={false}>
      <Table aria-label="Invited">
        <TableHead>
          <TableRow>
            <TableHeader>E-mail</TableHeader>
            <TableHeader>Sent</TableHeader>
            <TableHeader>Ends</TableHeader>
            <TableHeader>
              <span className="sr-only">Actions</span>
            </TableHeader>
          </TableRow>
        </TableHead>
        <TableBody>
          {pending.map((invite) => (
            <TableRow key={invite.id}>
              <TableCell className="font-medium">{invite.email}</TableCell>
              <TableCell>
                <Time at={invite.created_at} />
              </TableCell>
              <TableCell>
                <Time at={invite.expires_at} />
              </TableCell>
              <TableCell align="right">
                <Button size="sm" variant="danger-ghost" pending={revoke.isPending && revoke.variables.id === invite.id} onClick={() => revoke.mutate(invite)}>
                  Revoke
                </Button>
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Panel>
  );
}
