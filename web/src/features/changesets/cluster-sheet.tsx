import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCount, shortId } from "@/components/format";
import { Pagination } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";

const PAGE = 50;

export interface ClusterSheetProps {
  changesetId: string;
  setId: string;
  clusterId: string | undefined;
  onClose: () => void;
}

/** The failures of one kind, and which of them the change fixes. */
export function ClusterSheet({ changesetId, setId, clusterId, onClose }: ClusterSheetProps) {
  return (
    <Sheet
      open={clusterId !== undefined}
      onOpenChange={(open) => !open && onClose()}
      title="Failures of one kind"
      description="Fixed or not, by the samples that both configurations were measured on"
    >
      {clusterId !== undefined && <Members key={clusterId} changesetId={changesetId} setId={setId} clusterId={clusterId} />}
    </Sheet>
  );
}

function Members({ changesetId, setId, clusterId }: { changesetId: string; setId: string; clusterId: string }) {
  const workspaceId = useWorkspaceId();
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/clusters/{cluster_id}", {
    params: {
      path: { workspace_id: workspaceId, changeset_id: changesetId, cluster_id: clusterId },
      query: { limit: PAGE, offset },
    },
  });
  if (error) return <ProblemNotice error={error} retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={10} label="Loading the failures" />;
  const link = "text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent";
  return (
    <div className="flex flex-col gap-3">
      <div>
        <h3 className="text-sm font-semibold break-words">{data.label}</h3>
        <p className="numeric text-sm text-muted">
          Fixed {formatCount(data.fixed)} of {formatCount(data.failures)}, broke {formatCount(data.broke)} that were right before.{" "}
          <Link to="/w/$workspaceId/clusters" params={{ workspaceId }} search={{ cluster: clusterId }} className={link}>
            Curate the cluster
          </Link>
        </p>
        {data.note && <p className="mt-1 text-sm">{data.note}</p>}
      </div>
      <ul aria-label="Failures" className="flex flex-col rounded-md border border-line">
        {data.members.results.map((member) => (
          <li key={member.item_id} className="flex flex-col gap-1 border-b border-line px-3 py-2 last:border-b-0">
            <p className="text-sm break-words">{member.text ?? <span className="text-muted">The sample has no text any more.</span>}</p>
            <p className="flex flex-wrap items-center gap-2 text-xs text-muted">
              {member.fixed === null ? (
                <Badge title="It was not measured with both configurations">unknown</Badge>
              ) : member.fixed ? (
                <Badge tone="good">fixed</Badge>
              ) : (
                <Badge tone="warn">still fails</Badge>
              )}
              {member.example && <span>example</span>}
              <Link to="/w/$workspaceId/samples/$setId"
                params={{ workspaceId, setId }}
                search={{ item: member.item_id }}
                className={link}
              >
                sample {shortId(member.item_id)}
              </Link>
              {member.trace_id && (
                <Link to="/w/$workspaceId/traces/$traceId" params={{ workspaceId, traceId: member.trace_id }} className={link}>
                  trace {shortId(member.trace_id)}
                </Link>
              )}
            </p>
          </li>
        ))}
      </ul>
      {data.members.pagination.total > PAGE && (
        <Pagination total={data.members.pagination.total} limit={PAGE} offset={offset} onOffsetChange={setOffset} />
      )}
      {data.broken_item_ids && data.broken_item_ids.length > 0 && (
        <p className="text-xs break-words text-muted">
          Broken, and failing like this now: {data.broken_item_ids.map((id) => shortId(id)).join(", ")}
        </p>
      )}
    </div>
  );
}
