import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useWorkspaceId } from "@/api/access";
import { SETTINGS } from "@/app/navigation";
import { Page } from "@/components/page";

export function SettingsLayout() {
  const workspaceId = useWorkspaceId();
  const { pathname } = useLocation();
  const links = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone they stand in one line, which is longer than the screen.
    links.current?.querySelector('[aria-current="page"]')?.scrollIntoView({ inline: "center", block: "nearest" });
  }, [pathname]);
  return (
    <Page title="Settings">
      <div className="flex flex-col gap-6 md:flex-row">
        <nav ref={links} aria-label="Settings" className="flex shrink-0 gap-1 overflow-x-auto md:w-44 md:flex-col">
          {SETTINGS.map(({ label, to }) => (
            <Link
              key={to}
              to={to}
              params={{ workspaceId }}
              className="rounded-md px-2.5 py-1.5 whitespace-nowrap text-muted hover:bg-hover hover:text-text"
              activeProps={{ className: "bg-selected font-medium !text-text" }}
            >
              {label}
            </Link>
          ))}
        </nav>
        <div className="min-w-0 max-w-4xl flex-1">
          <Outlet />
        </div>
      </div>
    </Page>
  );
}
