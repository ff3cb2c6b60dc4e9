import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatPercent, pluralise } from "@/components/format";
import { StatusBadge } from "@/components/status-badge";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { ClusterSheet } from "./cluster-sheet";
import type { ChangesetDetail } from "./evidence-types";
import { FixedBar } from "./fixed-bar";
import { findingsOf } from "./scan-findings";

export interface FailuresSectionProps {
  changeset: ChangesetDetail;
  openId: string | undefined;
  onOpen: (clusterId: string | undefined) => void;
}

export function FailuresSection({ changeset, openId, onOpen }: FailuresSectionProps) {
  const workspaceId = useWorkspaceId();
  const { clusters } = changeset.evidence;
  const scan = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/scans/{scan_id}",
    { params: { path: { workspace_id: workspaceId, scan_id: changeset.scan_id ?? "" } } },
    { enabled: changeset.scan_id !== null, staleTime: 60_000 },
  );
  const loose = scan.data ? findingsOf(scan.data).unclustered : null;
  const largest = Math.max(1, ...clusters.map((cluster) => cluster.failures ?? cluster.size), loose?.size ?? 0);
  const sum = (count: (cluster: (typeof clusters)[number]) => number | null) =>
    clusters.reduce((total, cluster) => total + (count(cluster) ?? 0), 0);
  if (clusters.length === 0) {
    return (
      <Panel>
        <EmptyState title="No clusters of failures">
          Below 20 failures only those with the same expected and given answer are grouped. The scan's page tells all of them.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <Panel
      title="What the change fixes and breaks, by kind of failure"
      description="Counted on the reflect and the select split, which the search has seen: it tells what changed, not whether it is better."
      padded={false}
    >
      <Table aria-label="Failures by cluster" className="min-w-2xl">
        <TableHead>
          <tr>
            <TableHeader>Kind of failure</TableHeader>
            <TableHeader align="right">Failures</TableHeader>
            <TableHeader className="w-1/4">Fixed and broken</TableHeader>
            <TableHeader align="right">Fixed</TableHeader>
            <TableHeader align="right">Broke</TableHeader>
            <TableHeader align="right">
              <span title="In how many of the agent's last ten scans it was seen">Seen in scans</span>
            </TableHeader>
          </tr>
        </TableHead>
        <TableBody>
          {clusters.map((cluster) => (
            <TableRow key={cluster.id} selected={cluster.id === openId}>
              <TableCell className="max-w-96">
                <button
                  type="button"
                  onClick={() => onOpen(cluster.id)}
                  className="block max-w-full truncate rounded-sm text-left font-medium hover:underline"
                  title={cluster.label}
                >
                  {cluster.label}
                </button>
                <span className="block truncate text-xs text-muted" title={cluster.examples[0]?.text ?? undefined}>
                  {cluster.examples[0]?.text ?? "no example"}
                </span>
                {cluster.status !== "open" && <StatusBadge status={cluster.status} />}
              </TableCell>
              <TableCell align="right">{formatCount(cluster.failures ?? cluster.size)}</TableCell>
              <TableCell>
                <FixedBar
                  failures={cluster.failures ?? cluster.size}
                  fixed={cluster.fixed}
                  broke={cluster.broke}
                  largest={largest}
                  label={cluster.label}
                />
              </TableCell>
              <TableCell align="right" className="whitespace-nowrap">
                {share(cluster.fixed, cluster.failures)}
              </TableCell>
              <TableCell align="right">{cluster.broke === null ? "unknown" : formatCount(cluster.broke)}</TableCell>
              <TableCell align="right">
                {formatCount(cluster.recurrence.seen)} of {formatCount(cluster.recurrence.scans)}
              </TableCell>
            </TableRow>
          ))}
          {loose && (
            <TableRow>
              <TableCell className="text-muted">Unclustered: failures like no other</TableCell>
              <TableCell align="right">{formatCount(loose.size)}</TableCell>
              <TableCell>
                <FixedBar failures={loose.size} fixed={loose.fixed} broke={loose.broken} largest={largest} label="Unclustered" />
              </TableCell>
              <TableCell align="right" className="whitespace-nowrap">
                {share(loose.fixed, loose.size)}
              </TableCell>
              <TableCell align="right">{loose.broken === null ? "unknown" : formatCount(loose.broken)}</TableCell>
              <TableCell />
            </TableRow>
          )}
        </TableBody>
      </Table>
      <p className="numeric flex flex-wrap justify-between gap-2 border-t border-line px-3 py-2 text-xs text-muted">
        <span>
          In {pluralise(clusters.length, "cluster")}: fixed {formatCount(sum((one) => one.fixed))} of{" "}
          {formatCount(sum((one) => one.failures))}, broke {formatCount(sum((one) => one.broke))}.
        </span>
        <Link to="/w/$workspaceId/clusters" params={{ workspaceId }} search={{ agent: changeset.agent_id }} className="text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent">
          All clusters of the agent
        </Link>
      </p>
      <ClusterSheet changesetId={changeset.id} setId={changeset.sample_set_id} clusterId={openId} onClose={() => onOpen(undefined)} />
    </Panel>
  );
}

function share(fixed: number | null, of: number | null): string {
  if (fixed === null || of === null) return "unknown";
  return `${formatCount(fixed)} (${formatPercent(of === 0 ? 0 : fixed / of, { digits: 0 })})`;
}
