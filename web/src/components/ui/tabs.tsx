import type { KeyboardEvent, ReactNode } from "react";
import { cn } from "../cn";
import { formatCount } from "../format";

export interface Tab<Value extends string> {
  value: Value;
  label: string;
  count?: number | null;
}

export interface TabsProps<Value extends string> {
  value: Value;
  onValueChange: (value: Value) => void;
  tabs: readonly Tab<Value>[];
  label: string;
  /** Tells two rows of tabs on one page apart; give the same to their `TabPanel`. */
  name?: string;
  className?: string;
}

export function Tabs<Value extends string>({
  value,
  onValueChange,
  tabs,
  label,
  name = "tabs",
  className,
}: TabsProps<Value>) {
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const at = tabs.findIndex((tab) => tab.value === value);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    const next = to === undefined ? undefined : tabs[(to + tabs.length) % tabs.length];
    if (!next) return;
    event.preventDefault();
    onValueChange(next.value);
    document.getElementById(tabId(name, next.value))?.focus();
  };
  return (
    <div
      role="tablist"
      aria-label={label}
      onKeyDown={move}
      className={cn("flex min-w-0 gap-1 overflow-x-auto overflow-y-hidden [scrollbar-width:none]", className)}
    >
      {tabs.map((tab, index) => {
        const selected = tab.value === value;
        const reachable = selected || (index === 0 && !tabs.some((other) => other.value === value));
        return (
          <button
            key={tab.value}
            type="button"
            role="tab"
            id={tabId(name, tab.value)}
            aria-selected={selected}
            tabIndex={reachable ? 0 : -1}
            onClick={() => onValueChange(tab.value)}
            className={cn(
              "inline-flex h-8 shrink-0 items-center gap-1.5 border-b-2 border-transparent px-2 text-sm whitespace-nowrap",
              "focus-visible:-outline-offset-2",
              selected ? "border-accent font-medium text-text" : "text-muted hover:text-text",
            )}
          >
            {tab.label}
            {tab.count !== undefined && tab.count !== null && (
              <span className="numeric rounded-sm bg-hover px-1 text-2xs text-muted">
                {formatCount(tab.count, { compact: true })}
              </span>
            )}
          </button>
        );
      })}
    </div>
  );
}

export interface TabPanelProps {
  /** The value of the tab it belongs to; render only the selected one. */
  value: string;
  name?: string;
  children: ReactNode;
  className?: string;
}

export function TabPanel({ value, name = "tabs", children, className }: TabPanelProps) {
  return (
    <div role="tabpanel" aria-labelledby={tabId(name, value)} className={cn("min-w-0", className)}>
      {children}
    </div>
  );
}

function tabId(name: string, value: string): string {
  return `${name}-${value}`;
}
