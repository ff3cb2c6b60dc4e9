import { Link } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, TriangleAlert } from "lucide-react";
import type { Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { cn } from "@/components/cn";
import { formatCost, formatCount, formatNumber, formatPercent, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Panel } from "@/components/ui/panel";
import { Skeleton } from "@/components/ui/skeleton";

export interface ScanPreviewProps {
  preview: Schemas["PreviewOut"] | undefined;
  /** What was asked for has changed since. */
  stale: boolean;
  error: unknown;
  retry: () => void;
  /** Why nothing is asked, where the form itself is not complete. */
  incomplete: string | null;
}

/** What the scan would need and could show, as the server says it; asking costs nothing. */
export function ScanPreview({ preview, stale, error, retry, incomplete }: ScanPreviewProps) {
  return (
    <Panel title="Preview" description="Nothing has been spent." className="lg:sticky lg:top-4">
      <div aria-live="polite" aria-busy={stale} className={cn("flex flex-col gap-4 transition-opacity", stale && "opacity-60")}>
        {incomplete !== null ? (
          <p className="text-sm text-muted">{incomplete}</p>
        ) : error ? (
          <ProblemNotice error={error} retry={retry} />
        ) : preview === undefined ? (
          <>
            <Skeleton className="h-5 w-40" />
            <Skeleton className="h-24 w-full" />
            <Skeleton className="h-32 w-full" />
          </>
        ) : (
          <Answer preview={preview} />
        )}
      </div>
    </Panel>
  );
}

function Answer({ preview }: { preview: Schemas["PreviewOut"] }) {
  const workspaceId = useWorkspaceId();
  const { readiness, plan, missing, missing_credentials: credentials } = preview;
  const { samples, detectable, warnings } = readiness;
  return (
    <>
      <div className="flex items-start gap-2">
        {preview.ready ? <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-good" /> : <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />}
        <div className="min-w-0">
          <p className="text-sm font-medium">{preview.ready ? "Ready to start" : "Not ready yet"}</p>
          {missing.length > 0 && (
            <ul className="mt-1 list-disc pl-4 text-sm break-words">
              {missing.map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          )}
          {credentials.length > 0 && (
            <Link className="text-sm text-accent hover:underline dark:text-series-1" to="/w/$workspaceId/settings/models" params={{ workspaceId }}>
              Add a key for {credentials.join(", ")}
            </Link>
          )}
        </div>
      </div>
      <div className="grid grid-cols-2 gap-3">
        <Stat label="Will cost about" value={plan ? formatCost(preview.estimated_cost_usd) : "–"} hint="if answers are as long as usual" />
        <Stat label="At most" value={plan ? formatCost(preview.maximum_cost_usd) : "–"} hint={plan && preview.maximum_cost_usd === null ? "nothing bounds it" : "the budget included"} />
        <Stat label="Evaluations" value={plan ? formatCount(plan.max_evaluations) : "–"} hint={preview.least_evaluations === null ? undefined : `at least ${formatCount(preview.least_evaluations)}`} />
        <Stat
          label="Gain it can show"
          value={detectable ? `${formatNumber(detectable.effect * 100, { digits: 1 })} points` : "none"}
          hint={detectable ? `with ${formatPercent(detectable.power, { digits: 0 })} probability` : readiness.mode === "synthetic_only" ? "it validates nothing" : "not enough items"}
        />
      </div>
      {detectable && (
        <p className="numeric text-xs text-muted">
          Selected on {formatCount(detectable.selected_on)} items, shown on {formatCount(detectable.items)} pairs of the holdout at α = {detectable.alpha}, if the two configurations differ on {formatPercent(detectable.discordance, { digits: 0 })} of the items.
        </p>
      )}
      <Splits samples={samples} mode={readiness.mode} />
      {warnings.length > 0 && (
        <ul className="flex flex-col gap-1.5 text-xs">
          {warnings.map((warning) => (
            <li key={warning} className="flex items-start gap-1.5">
              <TriangleAlert aria-hidden className="mt-0.5 size-3 shrink-0 text-warn" />
              <span className="min-w-0 break-words">{warning}</span>
            </li>
          ))}
        </ul>
      )}
      {plan && <Plan plan={plan} />}
    </>
  );
}

function Splits({ samples, mode }: { samples: Schemas["SamplesOut"]; mode: Schemas["ReadinessOut"]["mode"] }) {
  const shown = [
    ["Reflect", samples.reflect, "searched"],
    ["Select", samples.select, "chosen by"],
    ["Holdout", samples.holdout, mode === "full" ? "asked once" : "not asked"],
  ] as const;
  return (
    <dl className="numeric grid grid-cols-3 gap-2 text-xs">
      {shown.map(([name, items, use]) => (
        <div key={name} className="rounded-sm bg-sunken px-2 py-1.5">
          <dt className="text-muted">{name}</dt>
          <dd>
            <span className="font-medium">{formatCount(items)}</span> <span className="text-muted">{use}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Plan({ plan }: { plan: Schemas["PlanOut"] }) {
  const parts = [
    { name: "Detect", size: plan.detect, tone: "bg-series-6" },
    { name: "Search", size: plan.search, tone: "bg-series-1" },
    { name: `Compare ${pluralise(plan.finalists, "finalist")}`, size: plan.evaluate, tone: "bg-series-2" },
    { name: "Diagnose", size: plan.diagnose, tone: "bg-series-3" },
    { name: "Holdout", size: plan.validation, tone: "bg-series-5" },
  ].filter((part) => part.size > 0);
  return (
    <div className="flex flex-col gap-1.5">
      <p className="text-xs font-medium">How the evaluations are divided</p>
      <div aria-hidden className="flex h-1.5 gap-px overflow-hidden rounded-full">
        {parts.map((part) => (
          <span key={part.name} className={part.tone} style={{ flexGrow: part.size }} />
        ))}
      </div>
      <ul className="numeric flex flex-col gap-0.5 text-xs">
        {parts.map((part) => (
          <li key={part.name} className="flex items-center gap-1.5">
            <span aria-hidden className={cn("size-2 rounded-full", part.tone)} />
            <span className="text-muted">{part.name}</span>
            <span className="ml-auto">{formatCount(part.size)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
