import { api, type Schemas } from "@/api/client";

export interface Actor {
  label: string;
  /** The scan that did it. */
  scanId?: string;
}

const SYSTEM: Record<string, string> = {
  "system:guard": "the guard",
  "system:autonomy": "autonomy",
};

/** Undefined until they are known. */
export type Members = readonly Schemas["WorkspaceMemberOut"][] | undefined;

/** Who did something, in the words of people: "user:<id>" is a member's name. */
export function describeActor(actor: string, members: Members): Actor {
  const scan = /^(?:system:scan |scan:)([0-9a-f-]{36})$/.exec(actor)?.[1];
  if (scan) return { label: "a scan", scanId: scan };
  const person = /^user:(.+)$/.exec(actor)?.[1];
  if (person) {
    if (members === undefined) return { label: "…" };
    const member = members.find((one) => one.user_id === person);
    return { label: member ? (member.name ?? member.email) : "a former member" };
  }
  const credential = /^(key|service_account):/.exec(actor)?.[1];
  if (credential) return { label: credential === "key" ? "an API key" : "a service account" };
  return { label: SYSTEM[actor] ?? actor.replace(/^system:/, "") };
}

export function useMembers(workspaceId: string): Members {
  const members = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/members",
    { params: { path: { workspace_id: workspaceId }, query: { limit: 100 } } },
    { staleTime: 300_000 },
  );
  return members.data?.results;
}
