import { Link } from "@tanstack/react-router";
import type { Schemas } from "@/api/client";
import { formatCost, formatCount, formatPercent, shortId } from "@/components/format";
import { Stat } from "@/components/stat";
import { Badge } from "@/components/ui/badge";

export function ScoreList({ workspaceId, scores }: { workspaceId: string; scores: Schemas["ScoresOut"] }) {
  const { cases, trace_ids: traceIds } = scores;
  return (
    <div role="status" className="flex flex-col gap-3">
      <div className="grid grid-cols-2 gap-3 border-t border-line pt-3 sm:grid-cols-4">
        <Stat label="Mean total" value={formatPercent(scores.mean_total)} hint={`n = ${formatCount(scores.scored)}`} />
        <Stat label="Passed" value={`${formatCount(scores.passed)} of ${formatCount(scores.scored)}`} hint={`from ${formatPercent(scores.threshold)} on`} />
        <Stat label="Missing" value={formatCount(scores.missing)} tone={scores.missing > 0 ? "warn" : "neutral"} />
        <Stat label="Cost" value={formatCost(scores.cost_usd)} />
      </div>
      <ol className="flex flex-col gap-2">
        {cases.map((one, index) => (
          <Case key={index} workspaceId={workspaceId} score={one} traceId={traceIds?.[index] ?? null} />
        ))}
      </ol>
    </div>
  );
}

function Case({ workspaceId, score, traceId }: { workspaceId: string; score: Schemas["ItemScoreOut"]; traceId: string | null }) {
  return (
    <li className="rounded-md border border-line p-2.5">
      <div className="flex items-center gap-2 text-sm">
        <span className="numeric font-semibold">{score.total === null ? "Missing" : formatPercent(score.total)}</span>
        {score.missing ? <Badge tone="warn">{score.missing_reason ?? "missing"}</Badge> : <Badge tone={score.passed ? "good" : "bad"}>{score.passed ? "Passed" : "Not passed"}</Badge>}
        {traceId && (
          <Link to="/w/$workspaceId/traces/$traceId" params={{ workspaceId, traceId }} className="ml-auto font-mono text-xs text-muted underline">
            {shortId(traceId)}
          </Link>
        )}
      </div>
      {score.error_message && <p className="text-xs text-bad">{score.error_message}</p>}
      <ul className="mt-1 flex flex-col gap-0.5 text-xs">
        {Object.entries(score.dimensions).map(([name, one]) => (
          <li key={name} className="flex gap-2">
            <span className="w-24 shrink-0 truncate font-medium" title={one.scorer}>
              {name}
            </span>
            <span className="numeric w-14 shrink-0 text-right">{one.score === null ? <span className="text-warn">missing</span> : formatPercent(one.score)}</span>
            <span className="min-w-0 break-words text-muted">{one.error ?? one.explanation}</span>
          </li>
        ))}
      </ul>
    </li>
  );
}
