import { Link } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, CircleHelp, CircleMinus } from "lucide-react";
import { api } from "@/api/client";
import { formatNumber, formatPoints, pluralise } from "@/components/format";
import { IntervalValue } from "@/components/interval-value";
import { Stat } from "@/components/stat";
import { StatusBadge } from "@/components/status-badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { textOf } from "./scan-events";
import type { PhaseResults, ScanDocument } from "./scan-results";
import { type ScanOutcome, failureHelp, outcomeSentence } from "./scan-words";

const ICONS: Record<ScanOutcome, typeof CircleCheck> = {
  validated: CircleCheck,
  refuted: CircleAlert,
  inconclusive: CircleHelp,
  no_improvement: CircleMinus,
};
const TONES: Record<ScanOutcome, string> = { validated: "text-good", refuted: "text-bad", inconclusive: "text-warn", no_improvement: "text-muted" };

export interface ScanOutcomePanelProps {
  workspaceId: string;
  scan: ScanDocument;
  results: PhaseResults;
}

/** How the scan ended: the verdict with its interval and what can be done now. Nothing while it goes on. */
export function ScanOutcomePanel({ workspaceId, scan, results }: ScanOutcomePanelProps) {
  if (scan.status === "failed") return <Failure scan={scan} />;
  if (scan.status === "cancelled") {
    return (
      <Panel>
        <p className="text-sm">
          <span className="font-medium">Cancelled.</span> <span className="text-muted">It has ended for good; what it measured until then is below.</span>
        </p>
      </Panel>
    );
  }
  if (scan.status !== "completed" || scan.outcome === null) return null;
  const Icon = ICONS[scan.outcome];
  const { look } = results;
  const gain = look?.effect ?? null;
  const gain95 = look?.effect95 ?? null;
  return (
    <Panel>
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="flex min-w-0 items-start gap-2.5">
          <Icon aria-hidden className={`mt-0.5 size-4 shrink-0 ${TONES[scan.outcome]}`} />
          <div className="min-w-0">
            <p className="text-sm font-medium">{scan.mode === "synthetic_only" && scan.outcome === "inconclusive" ? "Searched only: no holdout was asked" : outcomeSentence(scan.outcome)}</p>
            {look && look.reasons.length > 0 && <p className="text-xs text-muted">{look.reasons.map((reason) => reason.replaceAll("_", " ")).join("; ")}</p>}
            {look?.furtherItems != null && <p className="text-xs text-muted">{pluralise(look.furtherItems, "further item")} would decide, if the estimate were the truth.</p>}
          </div>
        </div>
        {scan.changeset_id && <ChangesetLink workspaceId={workspaceId} changesetId={scan.changeset_id} />}
      </div>
      {gain && (
        <div className="mt-3 flex flex-wrap gap-x-8 gap-y-3 border-t border-line pt-3">
          <Stat
            label="Gain on the holdout"
            tone={scan.outcome === "validated" ? "good" : scan.outcome === "refuted" ? "bad" : "neutral"}
            value={<IntervalValue value={gain.mean} low={gain.low} high={gain.high} n={look?.n} as="points" level={gain.confidence} className="text-base whitespace-normal" />}
            hint={gain.confidence === null ? undefined : `${formatNumber(gain.confidence * 100, { digits: 2 })} % interval, of look ${look?.look ?? "unknown"} of ${look?.looksPlanned ?? "unknown"}`}
          />
          {gain95 && <Stat label="At 95 %" value={<IntervalValue value={gain95.mean} low={gain95.low} high={gain95.high} as="points" level={0.95} className="text-base" />} />}
          {look?.minimumEffect != null && <Stat label="Smallest gain that counts" value={formatPoints(look.minimumEffect).replace("+", "")} />}
        </div>
      )}
    </Panel>
  );
}

function ChangesetLink({ workspaceId, changesetId }: { workspaceId: string; changesetId: string }) {
  const changeset = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}", {
    params: { path: { workspace_id: workspaceId, changeset_id: changesetId } },
  });
  return (
    <div className="flex items-center gap-2">
      {changeset.data && <StatusBadge status={changeset.data.state} />}
      <Button asChild variant="primary">
        <Link to="/w/$workspaceId/changesets/$changesetId" params={{ workspaceId, changesetId }}>
          Open the change set
        </Link>
      </Button>
    </div>
  );
}

function Failure({ scan }: { scan: ScanDocument }) {
  const type = textOf(scan.failure?.type) || null;
  return (
    <div role="alert" className="flex items-start gap-2.5 rounded-md border border-line bg-bad-soft p-3 text-sm">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0">
        <p className="font-medium">
          Failed in the phase {scan.phase ?? "before the first"}
          {type && <span className="ml-2 font-mono text-xs font-normal">{type}</span>}
        </p>
        <p className="break-words">{textOf(scan.failure?.detail) || "The server gave no reason."}</p>
        <p className="mt-1">{failureHelp(type)}</p>
      </div>
    </div>
  );
}
