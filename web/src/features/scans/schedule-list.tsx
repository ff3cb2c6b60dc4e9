import { useQueryClient } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { Ellipsis, Plus } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { Pagination } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Menu } from "@/components/ui/menu";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { cronSentence } from "./cron";
import { EditScheduleDialog } from "./edit-schedule";
import { ScheduleSheet } from "./schedule-sheet";

type Schedule = Schemas["ScheduleOut"];

const route = getRouteApi("/w/$workspaceId/scans/schedules");

const PAGE = 50;
const POLL_MS = 15_000;
const LIST = "/api/v1/workspaces/{workspace_id}/scans/schedules";

export function ScheduleListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const may = useMay("write:workspace");
  const offset = search.offset ?? 0;
  const path = { workspace_id: workspaceId };
  const schedules = api.useQuery("get", LIST, { params: { path, query: { limit: PAGE, offset } } }, { refetchInterval: POLL_MS });
  const agents = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents", { params: { path, query: { limit: 100 } } });
  const refresh = () => void queries.invalidateQueries({ queryKey: ["get", LIST] });
  const [editing, setEditing] = useState<Schedule | null>(null);
  const [deleting, setDeleting] = useState<Schedule | null>(null);
  const enable = api.useMutation("patch", "/api/v1/workspaces/{workspace_id}/scans/schedules/{schedule_id}", {
    onSuccess: ({ name, enabled }) => {
      refresh();
      toast.success(enabled ? `“${name}” is on` : `“${name}” is off: it starts nothing any more`);
    },
  });
  const remove = api.useMutation("delete", "/api/v1/workspaces/{workspace_id}/scans/schedules/{schedule_id}", {
    onSuccess: () => {
      refresh();
      toast.success("Schedule deleted");
      if (deleting?.id === search.schedule) open(undefined);
      setDeleting(null);
    },
  });
  const open = (schedule: string | undefined) => void navigate({ search: (before) => ({ ...before, schedule }) });
  const title = may ? undefined : lacking("write:workspace");
  const rows = schedules.data?.results ?? [];
  const nameOf = (schedule: Schedule) => agents.data?.results.find((agent) => agent.id === schedule.request.agent_id)?.name ?? "an agent";
  const adding = (
    <Button asChild variant="primary" aria-disabled={!may} title={title}>
      <Link to="/w/$workspaceId/scans/new" params={{ workspaceId }} search={{ schedule: true }} disabled={!may}>
        <Plus aria-hidden />
        New schedule
      </Link>
    </Button>
  );
  return (
    <Page title="Schedules" breadcrumbs={[{ label: "Scans", to: `/w/${workspaceId}/scans` }, { label: "Schedules" }]} description="Scans that start by themselves. Each time the request is checked anew, and what came of it is kept." actions={rows.length > 0 && adding}>
      {schedules.error && !schedules.data && <ProblemNotice error={schedules.error} retry={() => void schedules.refetch()} />}
      {enable.error !== null && <ProblemNotice error={enable.error} />}
      {schedules.isPending && <SkeletonRows rows={4} rowHeight={44} label="Loading schedules" />}
      {schedules.data && rows.length === 0 && (
        <EmptyState title="No schedule yet" actions={adding}>
          A schedule starts the same scan again and again, for example every night at 02:00 in your time zone. Fill in a new scan and switch “On a schedule” on.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <Panel padded={false}>
          <Table aria-label="Schedules" className="min-w-[52rem]">
            <TableHead>
              <tr>
                <TableHeader>Name</TableHeader>
                <TableHeader>Agent</TableHeader>
                <TableHeader>When</TableHeader>
                <TableHeader>Next</TableHeader>
                <TableHeader>Last time</TableHeader>
                <TableHeader>On</TableHeader>
                <TableHeader className="w-10">
                  <span className="sr-only">Actions</span>
                </TableHeader>
              </tr>
            </TableHead>
            <TableBody>
              {rows.map((schedule) => (
                <TableRow key={schedule.id} selected={schedule.id === search.schedule}>
                  <TableCell>
                    <Button variant="link" className="text-text" onClick={() => open(schedule.id)}>
                      {schedule.name}
                    </Button>
                  </TableCell>
                  <TableCell>{nameOf(schedule)}</TableCell>
                  <TableCell>
                    <span className="block">{cronSentence(schedule.cron) ?? <span className="font-mono text-xs">{schedule.cron}</span>}</span>
                    <span className="block text-xs text-muted">{schedule.time_zone}</span>
                  </TableCell>
                  <TableCell>
                    <Time at={schedule.next_run_at} absent="–" />
                  </TableCell>
                  <TableCell>
                    {schedule.last_firing ? (
                      <span className="flex items-center gap-2">
                        <StatusBadge status={schedule.last_firing.outcome} />
                        <Time at={schedule.last_firing.due_at} className="text-muted" />
                      </span>
                    ) : (
                      <span className="text-muted">never</span>
                    )}
                  </TableCell>
                  <TableCell>
                    <Switch
                      aria-label={`${schedule.name} is on`}
                      checked={schedule.enabled}
                      disabled={!may || enable.isPending}
                      title={title}
                      onCheckedChange={(enabled) => enable.mutate({ params: { path: { ...path, schedule_id: schedule.id } }, body: { enabled } })}
                    />
                  </TableCell>
                  <TableCell align="right">
                    <Menu
                      label={`Actions on ${schedule.name}`}
                      trigger={
                        <Button variant="ghost" size="icon" aria-label={`Actions on ${schedule.name}`}>
                          <Ellipsis aria-hidden />
                        </Button>
                      }
                      items={[
                        { label: "What came of it", onSelect: () => open(schedule.id) },
                        { label: "Edit…", onSelect: () => setEditing(schedule), disabled: !may, title },
                        "separator",
                        { label: "Delete…", danger: true, onSelect: () => setDeleting(schedule), disabled: !may, title },
                      ]}
                    />
                  </TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        </Panel>
      )}
      {schedules.data && schedules.data.pagination.total > PAGE && (
        <Pagination total={schedules.data.pagination.total} limit={PAGE} offset={offset} onOffsetChange={(next) => void navigate({ search: (before) => ({ ...before, offset: next || undefined }) })} />
      )}
      {search.schedule !== undefined && <ScheduleSheet key={search.schedule} workspaceId={workspaceId} scheduleId={search.schedule} onClose={() => open(undefined)} />}
      {editing && <EditScheduleDialog workspaceId={workspaceId} schedule={editing} onClose={() => setEditing(null)} onSaved={refresh} />}
      <ConfirmDialog
        open={deleting !== null}
        onOpenChange={(stays) => {
          if (!stays) setDeleting(null);
          remove.reset();
        }}
        title={`Delete the schedule “${deleting?.name ?? ""}”?`}
        confirmLabel="Delete the schedule"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => deleting && remove.mutate({ params: { path: { ...path, schedule_id: deleting.id } } })}
      >
        <p>It starts nothing any more, and the list of what came of it goes with it. Scans that it has started stay, and one that runs goes on.</p>
      </ConfirmDialog>
    </Page>
  );
}
