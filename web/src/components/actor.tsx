import { useMay, useProfile, useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";

const NAMES_ARE_GOOD_FOR_MS = 300_000;

/** Who did it, from what the API calls an actor (`user:<id>`, `system:autonomy`, `api_key:<id>`). Below a workspace only. */
export function Actor({ by }: { by: string | null }) {
  const workspace_id = useWorkspaceId();
  const me = useProfile()?.user_id;
  const maySeeMembers = useMay("admin:workspace");
  const members = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/members",
    { params: { path: { workspace_id }, query: { limit: 100 } } },
    { enabled: maySeeMembers, staleTime: NAMES_ARE_GOOD_FOR_MS },
  );
  if (by === null) return <>–</>;
  const [kind = "", id = ""] = by.split(/:(.*)/s);
  const member = kind === "user" ? members.data?.results.find((one) => one.user_id === id) : undefined;
  return <span title={by}>{nameOf(kind, id, me, member?.name ?? member?.email)}</span>;
}

/** "you", a member's name, or what the kind of actor is called with the end of its id. */
export function nameOf(kind: string, id: string, me: string | undefined, member: string | undefined): string {
  if (kind === "user") return id === me ? "you" : (member ?? `somebody (…${id.slice(-6)})`);
  if (kind === "system") return `Spectral (${id.replaceAll("_", " ")})`;
  return id === "" ? kind : `${kind.replaceAll("_", " ")} …${id.slice(-6)}`;
}
