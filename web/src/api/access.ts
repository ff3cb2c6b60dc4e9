import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { api, type Schemas } from "@/api/client";

export type Scope = Schemas["Scope"];
export type Profile = Schemas["ProfileOut"];
export type WorkspaceStanding = Schemas["WorkspaceStandingOut"];

/** Who is signed in and what they may enter: read once, and again whenever something is refused. */
export const profileQuery = api.queryOptions("get", "/api/v1/auth/me", {}, { staleTime: 60_000 });

export function useProfile(): Profile | undefined {
  return useQuery(profileQuery).data;
}

const workspaceRoute = getRouteApi("/w/$workspaceId");

/** The id of the workspace in the address. Only below `/w/$workspaceId`. */
export function useWorkspaceId(): string {
  return workspaceRoute.useParams({ select: (params) => params.workspaceId });
}

/** What the person is in this workspace; undefined until it is known. */
export function useStanding(): WorkspaceStanding | undefined {
  const id = useWorkspaceId();
  return useProfile()?.workspaces.find((one) => one.workspace_id === id);
}

/** Whether the person may, in this workspace. The server decides; this only saves people from buttons that refuse. */
export function useMay(scope: Scope): boolean {
  return useStanding()?.scopes.includes(scope) ?? false;
}

/** The title of a control that a person's scopes leave disabled. */
export function lacking(scope: Scope): string {
  return `Needs ${scope}; ask an admin of the workspace`;
}
