import { type ReactNode, useId } from "react";
import { cn } from "../cn";

export interface PanelProps {
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
  padded?: boolean;
  className?: string;
}

/** One surface on the page; its title makes it a region. */
export function Panel({ title, description, actions, children, padded = true, className }: PanelProps) {
  const id = useId();
  const Tag = title ? "section" : "div";
  return (
    <Tag
      aria-labelledby={title ? id : undefined}
      className={cn("flex min-w-0 flex-col rounded-md border border-line bg-surface", className)}
    >
      {(title || actions) && (
        <header className="flex min-h-10 flex-wrap items-center justify-between gap-x-3 gap-y-1 border-b border-line px-3 py-1.5">
          <div className="min-w-0">
            {title && (
              <h2 id={id} className="text-sm font-semibold">
                {title}
              </h2>
            )}
            {description && <p className="text-xs text-muted">{description}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-1.5">{actions}</div>}
        </header>
      )}
      <div className={cn("min-h-0 min-w-0 flex-1", padded && "p-3")}>{children}</div>
    </Tag>
  );
}
