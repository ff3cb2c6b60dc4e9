import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Check, ChevronsUpDown, LogOut, Monitor, Moon, Plus, Sun, UserRound } from "lucide-react";
import { http } from "@/api/client";
import { useProfile, useStanding, useWorkspaceId } from "@/api/access";
import { session } from "@/api/session";
import { chooseTheme, useTheme } from "@/app/theme";
import { Menu } from "@/components/ui/menu";

const TRIGGER =
  "flex h-10 w-full items-center gap-2.5 rounded-md px-2 text-left hover:bg-hover data-[state=open]:bg-hover";

export function WorkspaceMenu() {
  const navigate = useNavigate();
  const current = useWorkspaceId();
  const standing = useStanding();
  const workspaces = useProfile()?.workspaces ?? [];
  return (
    <Menu
      label="Workspaces"
      trigger={
        <button type="button" className={TRIGGER}>
          <img src="/assets/spectral.svg" alt="" className="size-6 rounded-md" />
          <span className="min-w-0 flex-1 truncate font-semibold">{standing?.name ?? "Spectral"}</span>
          <ChevronsUpDown aria-hidden className="size-3.5 text-muted" />
        </button>
      }
      items={[
        ...workspaces.map((one) => ({
          label: one.name,
          icon: one.workspace_id === current ? <Check aria-hidden /> : <span aria-hidden className="size-4" />,
          onSelect: () => void navigate({ to: "/w/$workspaceId", params: { workspaceId: one.workspace_id } }),
        })),
        "separator" as const,
        { label: "All workspaces", icon: <Plus aria-hidden />, onSelect: () => void navigate({ to: "/workspaces" }) },
      ]}
    />
  );
}

export function PersonMenu() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const profile = useProfile();
  const theme = useTheme();
  const chosen = (one: typeof theme) => (one === theme ? <Check aria-hidden /> : undefined);

  async function signOut() {
    try {
      await http.POST("/api/v1/auth/logout");
    } finally {
      // Whatever the server said: nobody is signed in here any more.
      await navigate({ to: "/sign-in" });
      session.end();
      queries.clear();
    }
  }

  return (
    <Menu
      label="You"
      trigger={
        <button type="button" className={TRIGGER}>
          <span className="grid size-6 place-items-center rounded-full bg-selected text-2xs font-semibold uppercase">
            {(profile?.name ?? profile?.email ?? "?").slice(0, 1)}
          </span>
          <span className="min-w-0 flex-1 truncate">{profile?.name ?? profile?.email ?? "…"}</span>
        </button>
      }
      items={[
        {
          label: "Your account",
          icon: <UserRound aria-hidden />,
          onSelect: () => void navigate({ to: "/account/$section", params: { section: "profile" } }),
        },
        "separator",
        { label: "Light", icon: chosen("light") ?? <Sun aria-hidden />, onSelect: () => chooseTheme("light") },
        { label: "Dark", icon: chosen("dark") ?? <Moon aria-hidden />, onSelect: () => chooseTheme("dark") },
        { label: "As the system", icon: chosen("system") ?? <Monitor aria-hidden />, onSelect: () => chooseTheme("system") },
        "separator",
        { label: "Sign out", icon: <LogOut aria-hidden />, onSelect: () => void signOut() },
      ]}
    />
  );
}
