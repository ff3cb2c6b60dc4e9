import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { shortId } from "@/components/format";

const PEOPLE = 100;

/** Who did it: "user:<id>" by the name of the member, others by what they are. */
export function ActorName({ actor }: { actor: string }) {
  const workspaceId = useWorkspaceId();
  const [kind = "", id = ""] = actor.split(/:(.*)/);
  const members = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/members",
    { params: { path: { workspace_id: workspaceId }, query: { limit: PEOPLE } } },
    { enabled: kind === "user", staleTime: 60_000 },
  );
  const member = members.data?.results.find((one) => one.user_id === id);
  if (member) return <span title={member.email}>{member.name ?? member.email}</span>;
  if (members.isLoading) return <span title={actor}>…</span>;
  const words = kind.replaceAll("_", " ");
  return (
    <span title={actor}>
      {words} {/^[0-9a-f-]{36}$/.test(id) ? shortId(id) : id}
    </span>
  );
}
