import { cn } from "@/components/cn";
import { formatCount } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { Panel } from "@/components/ui/panel";
import type { Look } from "./evidence-types";
import { alphaText, levelText } from "./wording";

export interface ErrorBudgetProps {
  look: Look;
  /** Of all change sets; undefined while it is not known. */
  looksTaken: number | undefined;
  retiredAt: string | null;
}

/** A holdout may be wrong with a probability of 0.05 in its whole life (docs/statistics.md). */
const LIFETIME_ALPHA = 0.05;

/** Whoever looks often enough sees what they hope for: each look is paid for. */
export function ErrorBudget({ look, looksTaken, retiredAt }: ErrorBudgetProps) {
  const taken = Math.max(looksTaken ?? look.look, look.look);
  const left = retiredAt === null ? Math.max(0, look.looks_planned - taken) : 0;
  return (
    <Panel title="Error budget of this holdout" description={`α = ${LIFETIME_ALPHA} for its whole life, whoever looks`}>
      <ol aria-label="Looks" className="mb-3 flex gap-1">
        {Array.from({ length: look.looks_planned }, (_, index) => index + 1).map((number) => {
          const own = number === look.look;
          const spent = number <= taken;
          return (
            <li
              key={number}
              title={`Look ${number}: ${own ? "this one" : spent ? "taken" : "left"}`}
              className={cn(
                "flex h-6 flex-1 items-center justify-center rounded-sm border text-2xs",
                own ? "border-accent bg-selected font-medium text-text" : spent ? "border-line bg-hover text-muted" : "border-dashed border-line-strong text-muted",
              )}
            >
              {number}
              <span className="sr-only"> {own ? "(this look)" : spent ? "(taken)" : "(left)"}</span>
            </li>
          );
        })}
      </ol>
      <KeyValue
        items={[
          { label: "This look", value: `${formatCount(look.look)} of ${formatCount(look.looks_planned)}, α = ${alphaText(look.alpha)}` },
          { label: "So decided at", value: levelText(1 - look.alpha) },
          {
            label: "Looks left",
            value:
              looksTaken === undefined ? (
                "unknown"
              ) : left === 0 ? (
                <span className="text-warn">none: freeze a fresh holdout</span>
              ) : (
                formatCount(left)
              ),
          },
        ]}
      />
    </Panel>
  );
}
