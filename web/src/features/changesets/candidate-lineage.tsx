import { useWorkspaceId } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { formatCount, formatInterval, formatPoints } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { effectTone } from "./effect-scale";
import { pText } from "./wording";

export interface CandidateLineageProps {
  experimentId: string;
  proposedHash: string;
  candidates: Schemas["ScanOut"]["candidates"];
}

/** Every candidate that was measured beside the champion, and where the proposed one comes from. */
export function CandidateLineage({ experimentId, proposedHash, candidates }: CandidateLineageProps) {
  const workspaceId = useWorkspaceId();
  const { data, error, refetch } = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/results",
    { params: { path: { workspace_id: workspaceId, experiment_id: experimentId }, query: { limit: 100 } } },
    { staleTime: 300_000 },
  );
  if (error) return <ProblemNotice error={error} retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={3} label="Loading the candidates" />;
  const bounds = data.results.flatMap(({ low, high }) => [low ?? 0, high ?? 0]);
  const room = 0.05 * (Math.max(0, ...bounds) - Math.min(0, ...bounds) || 0.1);
  const domain = [Math.min(0, ...bounds) - room, Math.max(0, ...bounds) + room] as const;
  return (
    <Table aria-label="Candidates" className="min-w-xl">
      <TableHead>
        <tr>
          <TableHeader>Candidate</TableHeader>
          <TableHeader className="w-1/4">Gain, 95 % interval</TableHeader>
          <TableHeader align="right">
            <span className="sr-only">Gain in numbers</span>
          </TableHeader>
          <TableHeader align="right">Won / lost</TableHeader>
          <TableHeader align="right">
            <span title="One-sided, corrected after Holm over all candidates">p, corrected</span>
          </TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {data.results.map((one) => {
          const known = one.low !== null && one.high !== null;
          const rationale = candidates.find((candidate) => candidate.config_hash === one.config_hash)?.rationale;
          return (
            <TableRow key={one.config_hash}>
              <th scope="row" className="max-w-64 px-3 py-1.5 text-left font-normal">
                <span className="flex items-center gap-2">
                  {one.label.replaceAll("_", " ")}
                  {one.config_hash === proposedHash && <Badge tone="accent">proposed</Badge>}
                </span>
                {rationale && (
                  <span className="block truncate text-xs text-muted" title={rationale}>
                    {rationale}
                  </span>
                )}
              </th>
              <TableCell>
                {known && (
                  <IntervalBar
                    low={one.low ?? 0}
                    high={one.high ?? 0}
                    value={one.effect}
                    zero={0}
                    domain={domain}
                    tone={effectTone({ low: one.low ?? 0, high: one.high ?? 0 })}
                    label={`${one.label}: ${formatPoints(one.effect)} ${formatInterval(one.low, one.high, "points")}`}
                  />
                )}
              </TableCell>
              <TableCell align="right" className="whitespace-nowrap">
                {formatPoints(one.effect)} <span className="text-muted">{formatInterval(one.low, one.high, "points")}</span>
                <span className="text-muted"> · n = {formatCount(one.n)}</span>
              </TableCell>
              <TableCell align="right" className="whitespace-nowrap">
                {formatCount(one.wins)} / {formatCount(one.losses)}
              </TableCell>
              <TableCell align="right" className="whitespace-nowrap">
                {one.p_adjusted === null ? "unknown" : pText(one.p_adjusted)}
              </TableCell>
            </TableRow>
          );
        })}
      </TableBody>
    </Table>
  );
}
