import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import { formatDateTime, formatRelative } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { KeyValue } from "@/components/key-value";
import { Pagination } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { textOf } from "./scan-events";

const PAGE = 25;
const POLL_MS = 15_000;
const LINK = "text-accent hover:underline dark:text-series-1";

export interface ScheduleSheetProps {
  workspaceId: string;
  scheduleId: string;
  onClose: () => void;
}

/** One schedule: what it runs, and what came of each of its times. */
export function ScheduleSheet({ workspaceId, scheduleId, onClose }: ScheduleSheetProps) {
  const [offset, setOffset] = useState(0);
  const path = { workspace_id: workspaceId, schedule_id: scheduleId };
  const schedule = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/scans/schedules/{schedule_id}", { params: { path } });
  const firings = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/scans/schedules/{schedule_id}/firings", { params: { path, query: { limit: PAGE, offset } } }, { refetchInterval: POLL_MS });
  const failed = schedule.error ?? firings.error;
  return (
    <Sheet
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={schedule.data?.name ?? "Schedule"}
      description={schedule.data ? `${schedule.data.cron}, ${schedule.data.time_zone}` : undefined}
    >
      {failed ? (
        <ProblemNotice error={failed} retry={() => void Promise.all([schedule.refetch(), firings.refetch()])} />
      ) : (
        <div className="flex min-w-0 flex-col gap-5">
          {schedule.data && (
            <KeyValue
              items={[
                { label: "Next", value: nextTime(schedule.data) },
                { label: "Created by", value: <Actor by={schedule.data.created_by} /> },
                { label: "Created", value: <Time at={schedule.data.created_at} /> },
              ]}
            />
          )}
          <section aria-label="What came of it" className="flex flex-col gap-2">
            <h3 className="text-sm font-semibold">What came of it</h3>
            {firings.isPending ? (
              <SkeletonRows rows={3} label="Loading what came of it" />
            ) : firings.data?.results.length === 0 ? (
              <p className="text-sm text-muted">It was not due yet.</p>
            ) : (
              <Table aria-label="Times">
                <TableHead>
                  <tr>
                    <TableHeader>Due</TableHeader>
                    <TableHeader>Outcome</TableHeader>
                    <TableHeader>What</TableHeader>
                  </tr>
                </TableHead>
                <TableBody>{firings.data?.results.map((firing) => <FiringRow key={firing.id} firing={firing} workspaceId={workspaceId} />)}</TableBody>
              </Table>
            )}
            {firings.data && firings.data.pagination.total > PAGE && <Pagination total={firings.data.pagination.total} limit={PAGE} offset={offset} onOffsetChange={setOffset} />}
          </section>
          {schedule.data && (
            <section aria-label="Request" className="flex min-w-0 flex-col gap-2">
              <h3 className="text-sm font-semibold">What it asks for</h3>
              <JsonView value={schedule.data.request} label="Request of the schedule" />
            </section>
          )}
        </div>
      )}
    </Sheet>
  );
}

/** In the zone of the schedule, because that is what its cron means; and how long until then. */
function nextTime({ next_run_at: at, time_zone: zone }: Schemas["ScheduleOut"]): string {
  if (at === null) return "never, it is off";
  return `${formatDateTime(at, { zone: true })} here, ${formatRelative(at)} (${new Date(at).toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" })} in ${zone})`;
}

function FiringRow({ firing, workspaceId }: { firing: Schemas["FiringOut"]; workspaceId: string }) {
  return (
    <TableRow>
      <TableCell className="whitespace-nowrap">
        <Time at={firing.due_at} />
      </TableCell>
      <TableCell>
        <StatusBadge status={firing.outcome} />
      </TableCell>
      <TableCell>
        {firing.problem && (
          <span className="block break-words">
            {textOf(firing.problem.title)}: {textOf(firing.problem.detail)}
          </span>
        )}
        {firing.scan_id && (
          <Link className={LINK} to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: firing.scan_id }}>
            {firing.outcome === "skipped" ? "This scan had not ended" : "Open the scan"}
          </Link>
        )}
      </TableCell>
    </TableRow>
  );
}
