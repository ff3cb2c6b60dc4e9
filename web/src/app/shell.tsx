import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { Menu as MenuIcon, Search } from "lucide-react";
import { useEffect, useState } from "react";
import { useProfile, useStanding, useWorkspaceId } from "@/api/access";
import { CommandPalette } from "@/app/command-palette";
import { Framed, NotFound } from "@/app/failures";
import { ACCOUNT_SECTIONS, NAVIGATION } from "@/app/navigation";
import { PersonMenu, WorkspaceMenu } from "@/app/menus";
import { useSequences } from "@/app/sequences";
import { Wordmark } from "@/app/wordmark";
import { cn } from "@/components/cn";
import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/kbd";
import { useHotkey } from "@/components/use-hotkey";
import { useMedia } from "@/components/use-media";

const ITEM =
  "flex h-8 items-center gap-2.5 rounded-md px-2.5 text-muted hover:bg-hover hover:text-text [&>svg]:size-4 [&>svg]:shrink-0";

/** The frame around everything in a workspace: where to go, who one is, and the palette. */
export function WorkspaceShell() {
  const workspaceId = useWorkspaceId();
  const profile = useProfile();
  const standing = useStanding();
  const navigate = useNavigate();
  const [palette, setPalette] = useState(false);
  useHotkey("mod+k", () => setPalette(true));
  useSequences((to) => void navigate({ to, params: { workspaceId } }));
  // Whoever follows a link into a workspace that they are not in is told the same as for one that does not exist.
  const stranger = profile !== undefined && standing === undefined;
  return (
    <Frame
      sidebar={(close) => (
        <>
          <WorkspaceMenu />
          <button
            type="button"
            onClick={() => setPalette(true)}
            className="mt-2 flex h-8 w-full items-center gap-2 rounded-md border border-line bg-surface px-2.5 text-muted hover:bg-hover"
          >
            <Search aria-hidden className="size-3.5" />
            <span className="flex-1 text-left">Go to…</span>
            <Kbd>⌘K</Kbd>
          </button>
          <nav aria-label="Workspace" className="mt-3 flex flex-col gap-3">
            {NAVIGATION.map(({ title, destinations }) => (
              <div key={title} role="group" aria-label={title}>
                <p aria-hidden className="px-2.5 pb-1 text-2xs font-medium text-muted">
                  {title}
                </p>
                {destinations.map(({ label, icon: Icon, keys, to }) => (
                  <Link
                    key={to}
                    to={to}
                    params={{ workspaceId }}
                    onClick={close}
                    className={ITEM}
                    title={`${label} (${keys.replace(" ", " then ")})`}
                    activeOptions={{ exact: to === "/w/$workspaceId" }}
                    activeProps={{ className: "bg-selected font-medium !text-text" }}
                  >
                    <Icon aria-hidden />
                    {label}
                  </Link>
                ))}
              </div>
            ))}
          </nav>
        </>
      )}
    >
      {stranger ? <NotFound /> : <Outlet />}
      <CommandPalette open={palette} onOpenChange={setPalette} />
    </Frame>
  );
}

/** The frame around what belongs to a person or an account, outside of every workspace. */
export function AccountShell() {
  return (
    <Frame
      sidebar={(close) => (
        <>
          <Link to="/" className="flex h-9 items-center px-1.5" aria-label="Spectral: go to your workspace">
            <Wordmark />
          </Link>
          <nav aria-label="Account" className="mt-3 flex flex-col gap-0.5">
            <Link
              to="/workspaces"
              onClick={close}
              className={ITEM}
              activeProps={{ className: "bg-selected font-medium !text-text" }}
            >
              Workspaces
            </Link>
            {ACCOUNT_SECTIONS.map(({ label, section }) => (
              <Link
                key={section}
                to="/account/$section"
                params={{ section }}
                onClick={close}
                className={ITEM}
                activeProps={{ className: "bg-selected font-medium !text-text" }}
              >
                {label}
              </Link>
            ))}
          </nav>
        </>
      )}
    >
      <Outlet />
    </Frame>
  );
}

type FrameProps = { sidebar: (close: () => void) => React.ReactNode; children: React.ReactNode };

function Frame({ sidebar, children }: FrameProps) {
  const wide = useMedia("(min-width: 1024px)");
  const [open, setOpen] = useState(false);
  const shown = wide || open;
  useHotkey("Escape", () => setOpen(false), { when: open && !wide });
  useEffect(() => {
    if (wide) setOpen(false);
  }, [wide]);
  return (
    <div className="flex h-dvh flex-col lg:flex-row">
      <a
        href="#content"
        className="sr-only rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50"
      >
        Skip to the content
      </a>
      {!wide && (
        <header className="flex h-12 shrink-0 items-center gap-2 border-b bg-surface px-3">
          <Button
            size="icon"
            variant="ghost"
            aria-label={open ? "Close the navigation" : "Open the navigation"}
            aria-expanded={open}
            aria-controls="navigation"
            onClick={() => setOpen(!open)}
          >
            <MenuIcon aria-hidden />
          </Button>
          <Wordmark />
        </header>
      )}
      {shown && (
        <aside
          id="navigation"
          aria-label="Navigation"
          className={cn(
            "flex w-60 shrink-0 flex-col overflow-y-auto border-r bg-surface p-3",
            !wide && "fixed inset-y-12 left-0 z-40 h-[calc(100dvh-3rem)] shadow-float",
          )}
        >
          {sidebar(() => setOpen(false))}
          <div className="mt-auto pt-4">
            <PersonMenu />
          </div>
        </aside>
      )}
      {open && !wide && (
        <div aria-hidden className="fixed inset-0 top-12 z-30 bg-black/40" onClick={() => setOpen(false)} />
      )}
      <main id="content" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col overflow-y-auto outline-none">
        <Framed value>{children}</Framed>
      </main>
    </div>
  );
}
