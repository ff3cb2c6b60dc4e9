import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useProfile, useStanding, useWorkspaceId } from "@/api/access";
import { http } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useLooks } from "./changeset-queries";
import type { ChangesetDetail } from "./evidence-types";
import { type Happening, happeningsOf } from "./happenings";

export interface HistorySectionProps {
  changeset: ChangesetDetail;
  nameOf: (actor: string) => string;
}

/** Who did what, and why. */
export function HistorySection({ changeset, nameOf }: HistorySectionProps) {
  const workspaceId = useWorkspaceId();
  const looks = useLooks(changeset.id, false);
  const happenings = happeningsOf(changeset, looks.data?.results ?? []);
  return (
    <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-2">
      <Panel title="What happened" padded={false}>
        <ol>
          {happenings.map((one) => (
            <HappeningRow key={one.id} happening={one} nameOf={nameOf} />
          ))}
        </ol>
        {changeset.scan_id && (
          <p className="border-t border-line px-3 py-2 text-xs">
            <Link
              to="/w/$workspaceId/scans/$scanId"
              params={{ workspaceId, scanId: changeset.scan_id }}
              className="text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent"
            >
              The scan and its report
            </Link>
          </p>
        )}
      </Panel>
      <AuditTrail changesetId={changeset.id} nameOf={nameOf} />
    </div>
  );
}

function HappeningRow({ happening, nameOf }: { happening: Happening; nameOf: (actor: string) => string }) {
  return (
    <li className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-3 border-b border-line px-3 py-2 text-sm last:border-b-0">
      <Time at={happening.at} className="text-muted" />
      <div className="min-w-0">
        <p className="leading-6">
          <StatusBadge status={happening.status} className="mr-1.5 align-middle" />
          {happening.what} {happening.by && <span className="text-muted">by {nameOf(happening.by)}</span>}
        </p>
        {happening.detail && <p className="numeric mt-0.5 break-words text-muted">{happening.detail}</p>}
      </div>
    </li>
  );
}

const PAGE = 20;

/** The audit log is the account's: only its owners may read it. */
function AuditTrail({ changesetId, nameOf }: { changesetId: string; nameOf: (actor: string) => string }) {
  const workspaceId = useWorkspaceId();
  const profile = useProfile();
  const accountId = useStanding()?.account_id;
  const role = profile?.accounts.find((account) => account.account_id === accountId)?.role;
  const may = role === "owner";
  const log = useInfiniteQuery({
    queryKey: ["get", "/api/v1/account/audit-log", "changeset", workspaceId, changesetId],
    queryFn: async ({ pageParam }) => {
      const { data } = await http.GET("/api/v1/account/audit-log", {
        params: { query: { subject: `changeset:${changesetId}`, workspace_id: workspaceId, limit: PAGE, offset: pageParam } },
      });
      return data!;
    },
    initialPageParam: 0,
    getNextPageParam: (last, all) => (last.results.length === PAGE ? all.length * PAGE : undefined),
    enabled: may,
  });
  if (!may) {
    return (
      <Panel title="Audit log">
        <p className="text-sm text-muted">Owners of the account can read its entries about this change set.</p>
      </Panel>
    );
  }
  const entries = log.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Panel title="Audit log" description="Sealed entries about this change set" padded={false}>
      {log.error && <ProblemNotice error={log.error} retry={() => void log.refetch()} className="m-3" />}
      {log.isLoading && <SkeletonRows rows={4} label="Loading the audit log" />}
      <ol>
        {entries.map((entry) => (
          <li key={entry.id} className="border-b border-line text-sm last:border-b-0">
            <details className="group">
              <summary className="grid cursor-pointer grid-cols-[6.5rem_minmax(0,1fr)] gap-3 px-3 py-2 hover:bg-hover">
                <Time at={entry.created_at} className="text-muted" />
                <span className="min-w-0 break-words">
                  <code className="font-mono text-xs">{entry.action}</code> <span className="text-muted">by {nameOf(entry.actor)}</span>
                </span>
              </summary>
              <dl className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-x-3 gap-y-0.5 px-3 pb-2 text-xs">
                {Object.entries(entry.detail).map(([key, value]) => (
                  <div key={key} className="contents">
                    <dt className="break-words text-muted">{key.replaceAll("_", " ")}</dt>
                    <dd className="numeric break-words">{typeof value === "string" ? value : JSON.stringify(value)}</dd>
                  </div>
                ))}
              </dl>
            </details>
          </li>
        ))}
      </ol>
      {log.hasNextPage && (
        <div className="p-2">
          <Button size="sm" variant="ghost" pending={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
            Older entries
          </Button>
        </div>
      )}
    </Panel>
  );
}
