import { Link } from "@tanstack/react-router";
import type { Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { formatCost, formatNumber } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { SkeletonRows } from "@/components/ui/skeleton";

interface Answer<Item> {
  data: { results: Item[] } | undefined;
  error: unknown;
  refetch: () => Promise<unknown>;
}

/** What online evaluations made of the trace, dimension by dimension. */
export function ScoreList({ scores }: { scores: Answer<Schemas["TraceScoreOut"]> }) {
  const workspaceId = useWorkspaceId();
  if (scores.error) return <ProblemNotice error={scores.error} retry={() => void scores.refetch()} />;
  if (!scores.data) return <SkeletonRows rows={3} label="Loading the scores" />;
  if (scores.data.results.length === 0) {
    return <p className="text-muted">No online evaluation has scored this trace. Rubrics score live traces when an online evaluation is on.</p>;
  }
  return (
    <ul className="flex flex-col gap-3">
      {scores.data.results.map((score) => (
        <li key={score.id} className="min-w-0 rounded-md border border-line">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-2">
            <Link to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: score.rubric_id }} className="font-medium hover:underline">
              {score.name}
            </Link>
            <span className="text-xs text-muted">rubric version {score.rubric_version}</span>
            {score.passed !== null && (
              <Badge tone={score.passed ? "good" : "bad"} dot>
                {score.passed ? "Passed" : "Not passed"}
              </Badge>
            )}
            <span className="numeric ml-auto font-semibold" title={score.error ?? score.missing_reason ?? undefined}>
              {score.total === null ? (score.scored_at ? "not scored" : "being scored") : formatNumber(score.total, { digits: 3 })}
            </span>
          </div>
          {(score.error ?? score.missing_reason) && <p className="px-3 py-2 text-xs text-bad">{score.error ?? score.missing_reason}</p>}
          <dl className="flex flex-col">
            {Object.entries(score.dimensions).map(([name, dimension]) => (
              <div key={name} className="flex flex-col gap-0.5 border-b border-line px-3 py-1.5 last:border-b-0">
                <dt className="flex items-center justify-between gap-2 text-xs">
                  <span>
                    {name} <span className="text-muted">{dimension.scorer}</span>
                  </span>
                  <span className="numeric font-medium">{dimension.score === null ? "not scored" : formatNumber(dimension.score, { digits: 3 })}</span>
                </dt>
                {(dimension.explanation || dimension.error) && <dd className="text-xs text-muted">{dimension.explanation || dimension.error}</dd>}
              </div>
            ))}
          </dl>
          <p className="numeric border-t border-line px-3 py-1.5 text-2xs text-muted">
            Scored <Time at={score.scored_at} absent="not yet" /> · {score.cost_usd === null ? "cost unknown" : formatCost(score.cost_usd)} · saw {score.span_count}{" "}
            {score.span_count === 1 ? "span" : "spans"}
          </p>
        </li>
      ))}
    </ul>
  );
}
