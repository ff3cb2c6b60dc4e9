import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { api, type Schemas } from "@/api/client";
import { formatCount, formatPercent } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { scorerLabel } from "./scorers";

interface SuggestionsProps {
  workspaceId: string;
  rubricId: string;
  onAdd: (dimension: Schemas["SuggestedDimensionOut"]) => void;
  taken: readonly string[];
  disabled: boolean;
}

/** A dimension for each open failure cluster. */
export function Suggestions({ workspaceId, rubricId, onAdd, taken, disabled }: SuggestionsProps) {
  const found = useQuery(
    api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/evaluations/rubrics/suggestions", {
      params: { path: { workspace_id: workspaceId }, query: { rubric_id: rubricId, limit: 20 } },
    }),
  );
  return (
    <Panel title="Suggestions" description="Dimensions that would see what open failure clusters have in common" padded={false}>
      {found.error ? (
        <ProblemNotice error={found.error} retry={() => void found.refetch()} className="m-3" />
      ) : !found.data ? (
        <SkeletonRows rows={2} label="Loading suggestions" />
      ) : found.data.results.length === 0 ? (
        <p className="p-3 text-sm text-muted">None: no open failure cluster asks for a dimension.</p>
      ) : (
        <ul className="divide-y divide-line">
          {found.data.results.map((one) => (
            <li key={one.cluster_id} className="flex items-start gap-3 p-3">
              <div className="min-w-0 flex-1">
                <p className="text-sm font-medium">
                  {one.dimension.name} <span className="font-normal text-muted">· {scorerLabel(one.dimension.scorer)}</span>
                </p>
                <p className="text-xs text-muted">{one.reason}</p>
                <p className="numeric text-xs text-muted">
                  {one.label}: {formatCount(one.size)} failures, {formatPercent(one.share)}
                </p>
              </div>
              <Button size="sm" disabled={disabled || taken.includes(one.dimension.name)} title={taken.includes(one.dimension.name) ? "A dimension of this name is there" : undefined} onClick={() => onAdd(one.dimension)}>
                <Plus aria-hidden />
                Add
              </Button>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
