import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { formatCount, formatNumber, formatPercent, pluralise, shortId } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { SkeletonRows } from "@/components/ui/skeleton";
import { ClusterHistory } from "./cluster-history";
import { ClusterMembers } from "./cluster-members";
import { type ClusterDetail, useChangeOfCluster, useCluster } from "./cluster-queries";
import { CurateForm } from "./curate-form";
import { SplitDialog } from "./split-dialog";

export interface ClusterPanelProps {
  clusterId: string;
  agents: ReadonlyMap<string, string>;
  onOpen: (clusterId: string) => void;
}

export function ClusterPanel({ clusterId, agents, onOpen }: ClusterPanelProps) {
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = useCluster(clusterId, offset);
  const change = useChangeOfCluster(data, offset);
  if (error) return <ProblemNotice error={error} retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={12} label="Loading the cluster" />;
  return (
    <div className="flex flex-col gap-5">
      <Summary cluster={data} change={change.data} agents={agents} onOpen={onOpen} />
      <ClusterHistory history={data.history} />
      <ClusterMembers cluster={data} change={change.data} offset={offset} onOffsetChange={setOffset} />
    </div>
  );
}

interface SummaryProps {
  cluster: ClusterDetail;
  change: ClusterDetail | undefined;
  agents: ReadonlyMap<string, string>;
  onOpen: (clusterId: string) => void;
}

function Summary({ cluster, change, agents, onOpen }: SummaryProps) {
  const workspaceId = useWorkspaceId();
  const may = useMay("write:workspace");
  const [editing, setEditing] = useState(false);
  const [splitting, setSplitting] = useState(false);
  const link = "text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent";
  return (
    <section aria-label="About the cluster" className="flex flex-col gap-3">
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <h3 className="text-base font-semibold break-words">{cluster.label}</h3>
          <p className="mt-0.5 flex flex-wrap items-center gap-2 text-xs text-muted">
            <StatusBadge status={cluster.status} />
            {cluster.label_curated ? "named by a person" : "named by a scan"}
          </p>
        </div>
        <div className="flex shrink-0 gap-1.5">
          <Button size="sm" disabled={!may} title={may ? undefined : lacking("write:workspace")} onClick={() => setEditing(!editing)}>
            Edit
          </Button>
          <Button
            size="sm"
            disabled={!may || cluster.size < 2}
            title={may ? (cluster.size < 2 ? "A single failure cannot be split" : undefined) : lacking("write:workspace")}
            onClick={() => setSplitting(true)}
          >
            Split…
          </Button>
        </div>
      </div>
      {editing && <CurateForm cluster={cluster} onDone={() => setEditing(false)} />}
      {!editing && cluster.note && <p className="rounded-md bg-sunken p-2.5 text-sm break-words whitespace-pre-wrap">{cluster.note}</p>}
      <KeyValue
        items={[
          {
            label: "Agent",
            value: (
              <Link to="/w/$workspaceId/agents/$agentId" params={{ workspaceId, agentId: cluster.agent_id }} className={link}>
                {agents.get(cluster.agent_id) ?? shortId(cluster.agent_id)}
              </Link>
            ),
          },
          { label: "Failures", value: `${formatCount(cluster.size)}, ${formatPercent(cluster.share)} of the scan's` },
          {
            label: "Stability",
            value: cluster.stability === null ? "not measured" : `${formatNumber(cluster.stability, { digits: 2 })} of 1`,
          },
          {
            label: "Seen",
            value:
              cluster.recurrence.scans === 1
                ? "in the agent's only scan so far"
                : `in ${formatCount(cluster.recurrence.seen)} of the agent's last ${formatCount(cluster.recurrence.scans)} scans`,
          },
          {
            label: "Last scan",
            value: (
              <>
                <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: cluster.scan_id }} className={link}>
                  {shortId(cluster.scan_id)}
                </Link>
                , <Time at={cluster.last_seen_at} />
              </>
            ),
          },
          {
            label: "Change set",
            value:
              cluster.changeset_id === null ? (
                "the scan proposed none"
              ) : (
                <>
                  <Link
                    to="/w/$workspaceId/changesets/$changesetId"
                    params={{ workspaceId, changesetId: cluster.changeset_id }}
                    search={{ section: "failures", cluster: cluster.id }}
                    className={link}
                  >
                    {shortId(cluster.changeset_id)}
                  </Link>
                  {change && `: fixed ${formatCount(change.fixed)} of ${formatCount(change.failures)}, broke ${formatCount(change.broke)}`}
                </>
              ),
          },
          ...(cluster.merged_ids.length > 0
            ? [{ label: "Merged", value: `${pluralise(cluster.merged_ids.length, "cluster")} that people said are this one` }]
            : []),
          ...(cluster.split_from
            ? [
                {
                  label: "Split from",
                  value: (
                    <Button variant="link" onClick={() => onOpen(cluster.split_from ?? "")}>
                      {shortId(cluster.split_from)}
                    </Button>
                  ),
                },
              ]
            : []),
        ]}
      />
      <SplitDialog cluster={cluster} open={splitting} onOpenChange={setSplitting} />
    </section>
  );
}
