import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCount, shortId } from "@/components/format";
import { Pagination } from "@/components/pagination";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { type ClusterDetail, MEMBERS_PAGE } from "./cluster-queries";
import { MoveDialog } from "./move-dialog";
import { SplitDialog } from "./split-dialog";

export interface ClusterMembersProps {
  cluster: ClusterDetail;
  /** The same page of it under the scan's change set, which knows what was fixed. */
  change: ClusterDetail | undefined;
  offset: number;
  onOffsetChange: (offset: number) => void;
}

export function ClusterMembers({ cluster, change, offset, onOffsetChange }: ClusterMembersProps) {
  const workspaceId = useWorkspaceId();
  const may = useMay("write:workspace");
  const [checked, setChecked] = useState<ReadonlySet<string>>(new Set());
  const [doing, setDoing] = useState<"split" | "move" | null>(null);
  const { data: scan } = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/scans/{scan_id}",
    { params: { path: { workspace_id: workspaceId, scan_id: cluster.scan_id } } },
    { staleTime: 300_000 },
  );
  const fixed = new Map(change?.members.results.map((member) => [member.item_id, member.fixed]));
  const toggle = (id: string, on: boolean) => {
    const next = new Set(checked);
    if (on) next.add(id);
    else next.delete(id);
    setChecked(next);
  };
  const none = checked.size === 0;
  const whyNot = may ? (none ? "Check failures first" : undefined) : lacking("write:workspace");
  const link = "text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent";
  return (
    <section aria-label="Failures" className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h3 className="text-sm font-semibold">
          Failures <span className="numeric font-normal text-muted">{formatCount(cluster.members.pagination.total)}</span>
        </h3>
        <span className="flex gap-1.5">
          <Button size="sm" disabled={whyNot !== undefined} title={whyNot} onClick={() => setDoing("move")}>
            {none ? "Move…" : `Move ${formatCount(checked.size)}…`}
          </Button>
          <Button
            size="sm"
            disabled={whyNot !== undefined || checked.size >= cluster.size}
            title={whyNot ?? (checked.size >= cluster.size ? "Nothing would be left" : undefined)}
            onClick={() => setDoing("split")}
          >
            Make a cluster…
          </Button>
        </span>
      </div>
      <ul className="flex flex-col rounded-md border border-line">
        {cluster.members.results.map((member) => {
          const wasFixed = fixed.get(member.item_id) ?? null;
          return (
            <li key={member.item_id} className="flex gap-2.5 border-b border-line px-3 py-2 last:border-b-0">
              <Checkbox
                aria-label={`Check failure ${shortId(member.item_id)}`}
                className="mt-0.5"
                checked={checked.has(member.item_id)}
                disabled={!may}
                onCheckedChange={(on) => toggle(member.item_id, on)}
              />
              <div className="min-w-0 flex-1">
                <p className="text-sm break-words">{member.text ?? <span className="text-muted">The sample has no text any more.</span>}</p>
                <p className="mt-0.5 flex flex-wrap items-center gap-2 text-xs text-muted">
                  {wasFixed !== null && (wasFixed ? <Badge tone="good">fixed</Badge> : <Badge tone="warn">still fails</Badge>)}
                  {member.example && <span>example</span>}
                  {scan ? (
                    <Link
                      to="/w/$workspaceId/samples/$setId"
                      params={{ workspaceId, setId: scan.sample_set_id }}
                      search={{ item: member.item_id }}
                      className={link}
                    >
                      sample {shortId(member.item_id)}
                    </Link>
                  ) : (
                    <span>sample {shortId(member.item_id)}</span>
                  )}
                  {member.trace_id && (
                    <Link to="/w/$workspaceId/traces/$traceId" params={{ workspaceId, traceId: member.trace_id }} className={link}>
                      trace {shortId(member.trace_id)}
                    </Link>
                  )}
                </p>
              </div>
            </li>
          );
        })}
      </ul>
      {cluster.members.pagination.total > MEMBERS_PAGE && (
        <Pagination total={cluster.members.pagination.total} limit={MEMBERS_PAGE} offset={offset} onOffsetChange={onOffsetChange} />
      )}
      <SplitDialog
        cluster={cluster}
        itemIds={[...checked]}
        open={doing === "split"}
        onOpenChange={(open) => setDoing(open ? "split" : null)}
        onSplit={() => setChecked(new Set())}
      />
      <MoveDialog
        cluster={cluster}
        itemIds={[...checked]}
        open={doing === "move"}
        onOpenChange={(open) => setDoing(open ? "move" : null)}
        onMoved={() => setChecked(new Set())}
      />
    </section>
  );
}
