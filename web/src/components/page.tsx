import { useRouter } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { type MouseEvent, type ReactNode, useEffect } from "react";
import { cn } from "./cn";

export interface Breadcrumb {
  label: string;
  /** An address in this application. */
  to?: string;
}

export interface PageProps {
  title: ReactNode;
  description?: ReactNode;
  breadcrumbs?: readonly Breadcrumb[];
  actions?: ReactNode;
  tabs?: ReactNode;
  children?: ReactNode;
  /** The content takes the height that is left and scrolls inside: grids, graphs, split views. */
  fill?: boolean;
  /** The browser tab's title, where `title` is not a text. */
  documentTitle?: string;
}

export function Page({ title, description, breadcrumbs, actions, tabs, children, fill = false, documentTitle }: PageProps) {
  const said = documentTitle ?? (typeof title === "string" ? title : undefined);
  useEffect(() => {
    if (said) document.title = `${said} · Spectral`;
  }, [said]);
  return (
    <div className={cn("flex min-w-0 flex-col", fill && "h-full min-h-0")}>
      <header className="shrink-0 border-b border-line bg-surface px-3 pt-2.5 sm:px-5">
        {breadcrumbs && breadcrumbs.length > 0 && <Breadcrumbs crumbs={breadcrumbs} />}
        <div className={cn("flex min-h-8 flex-wrap items-center justify-between gap-x-4 gap-y-2", tabs ? "pb-1" : "pb-2.5")}>
          <div className="min-w-0">
            <h1 className="flex min-w-0 items-center gap-2 text-lg font-semibold break-words">{title}</h1>
            {description && <div className="max-w-3xl text-sm text-muted">{description}</div>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
        {tabs && <div className="-mb-px -ml-2">{tabs}</div>}
      </header>
      <div className={cn("min-w-0", fill ? "flex min-h-0 flex-1 flex-col" : "flex flex-col gap-4 p-3 sm:p-5")}>{children}</div>
    </div>
  );
}

function Breadcrumbs({ crumbs }: { crumbs: readonly Breadcrumb[] }) {
  const router = useRouter();
  const follow = (event: MouseEvent, to: string) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    router.history.push(to);
  };
  return (
    <nav aria-label="Breadcrumbs">
      <ol className="flex min-w-0 flex-wrap items-center gap-1 text-xs text-muted">
        {crumbs.map(({ label, to }, index) => (
          <li key={`${index}-${label}`} className="flex min-w-0 items-center gap-1">
            {index > 0 && <ChevronRight aria-hidden className="size-3 shrink-0" />}
            {to ? (
              <a href={to} onClick={(event) => follow(event, to)} className="truncate rounded-sm py-[3px] hover:text-text hover:underline">
                {label}
              </a>
            ) : (
              <span className="truncate">{label}</span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}
