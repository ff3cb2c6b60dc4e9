import { useCallback } from "react";
import { useMay, useProfile, useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";

const NAMES_ARE_GOOD_FOR_MS = 300_000;
const SYSTEMS: Record<string, string> = { autonomy: "Spectral, within the bounds", guard: "the guard" };
const CREDENTIALS: Record<string, string> = { key: "an API key", api_key: "an API key", service_account: "a service account" };

/** What people call whom the API calls `user:<id>`, `system:autonomy` or `key:<id>`. Below a workspace only. */
export function useActorNames(): (actor: string) => string {
  const workspace_id = useWorkspaceId();
  const me = useProfile()?.user_id;
  const members = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/members",
    { params: { path: { workspace_id }, query: { limit: 100 } } },
    // Only admins may read who the others are; nobody else's page asks.
    { enabled: useMay("admin:workspace"), staleTime: NAMES_ARE_GOOD_FOR_MS },
  ).data?.results;
  return useCallback(
    (actor) => {
      const member = members?.find((one) => `user:${one.user_id}` === actor);
      return nameOf(actor, me, member?.name ?? member?.email);
    },
    [members, me],
  );
}

/** "you", a member's name where it is known, or what kind of actor it is. */
export function nameOf(actor: string, me: string | undefined, member: string | undefined): string {
  const [kind = "", id = ""] = actor.split(/:(.*)/s);
  if (kind === "user") return id === me ? "you" : (member ?? `somebody (…${id.slice(-6)})`);
  if (kind === "scan" || actor.startsWith("system:scan")) return "a scan";
  if (kind === "system") return SYSTEMS[id] ?? `Spectral (${(id.split(" ")[0] ?? "").replaceAll("_", " ")})`;
  return CREDENTIALS[kind] ?? (id === "" ? kind : `${kind.replaceAll("_", " ")} …${id.slice(-6)}`);
}
