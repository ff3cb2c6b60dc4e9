import type { Profile } from "@/api/access";

const KEY = "spectral.workspace";

/** Where the person was last, as long as they may enter it; else their first workspace. */
export function lastWorkspace(profile: Profile): string | null {
  const kept = localStorage.getItem(KEY);
  const found = profile.workspaces.find((one) => one.workspace_id === kept) ?? profile.workspaces[0];
  return found?.workspace_id ?? null;
}

export function rememberWorkspace(profile: Profile, workspaceId: string): void {
  if (profile.workspaces.some((one) => one.workspace_id === workspaceId)) localStorage.setItem(KEY, workspaceId);
}
