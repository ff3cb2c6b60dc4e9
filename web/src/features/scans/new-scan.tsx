import { keepPreviousData } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type FormEvent, useEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, idempotencyKey } from "@/api/client";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { BudgetFields, SearchFields, SubjectFields } from "./scan-fields";
import { type ScanRequest, draftErrors, refusedFields, requestOf } from "./scan-draft";
import { ScanNeeds } from "./scan-needs";
import { ScanPreview } from "./scan-preview";
import { ScheduleFields, type ScheduleDraft, type ScheduleErrors, ownTimeZone, refusedSchedule, scheduleErrors } from "./schedule-fields";
import { useScanDraft } from "./use-scan-draft";

const route = getRouteApi("/w/$workspaceId/scans/new");

const PREVIEW_DELAY_MS = 350;
const FORM = "new-scan";

export function NewScanPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMay("write:workspace");
  const { choices, draft, change, candidates, error, retry } = useScanDraft(workspaceId, search);
  const [schedule, setSchedule] = useState<ScheduleDraft>({ name: "", cron: "0 2 * * *", timeZone: ownTimeZone() });
  const scheduled = search.schedule === true;

  const own = draftErrors(draft);
  const complete = choices !== null && Object.keys(own).length === 0 && candidates !== null;
  const wanted = complete ? JSON.stringify(requestOf(draft, candidates)) : null;
  const asked = useSettled(wanted, PREVIEW_DELAY_MS);
  const path = { workspace_id: workspaceId };
  const preview = api.useQuery(
    "post",
    "/api/v1/workspaces/{workspace_id}/scans/preview",
    { params: { path }, body: asked === null ? NOTHING : (JSON.parse(asked) as ScanRequest) },
    { enabled: asked !== null && may, placeholderData: keepPreviousData },
  );

  // Changed, it is another intent.
  const intent = `${wanted} ${scheduled ? JSON.stringify(schedule) : ""}`;
  const key = useMemo(() => ({ intent, value: idempotencyKey() }), [intent]).value;
  const start = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/scans", {
    onError: showFirstError,
    onSuccess: ({ id }) => {
      toast.success("Scan started");
      void navigate({ to: "/w/$workspaceId/scans/$scanId", params: { workspaceId, scanId: id } });
    },
  });
  const plan = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/scans/schedules", {
    onError: showFirstError,
    onSuccess: ({ id, name }) => {
      toast.success(`Schedule “${name}” created`);
      void navigate({ to: "/w/$workspaceId/scans/schedules", params: { workspaceId }, search: { schedule: id } });
    },
  });
  const sending = scheduled ? plan : start;
  // A refusal is about what was sent.
  const changed = <T,>(apply: (next: T) => void) => (next: T) => {
    start.reset();
    plan.reset();
    apply(next);
  };

  const refused = refusedFields(sending.error ?? preview.error);
  const errors = { ...refused.fields, ...visible(own) };
  const [tried, setTried] = useState(false);
  const planErrors: ScheduleErrors = { ...refusedSchedule(plan.error), ...(tried ? scheduleErrors(schedule) : {}) };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (scheduled && Object.keys(scheduleErrors(schedule)).length > 0) return showFirstError();
    if (wanted === null || sending.isPending) return;
    const request = JSON.parse(wanted) as ScanRequest;
    const params = { path, header: { "Idempotency-Key": key } };
    if (scheduled) plan.mutate({ params, body: { name: schedule.name, cron: schedule.cron, time_zone: schedule.timeZone, request } });
    else start.mutate({ params, body: request });
  };
  const crumbs = [{ label: "Scans", to: `/w/${workspaceId}/scans` }, { label: scheduled ? "New schedule" : "New scan" }];
  const lacks = choices !== null && (choices.agents.length === 0 || choices.sampleSets.length === 0 || choices.objectives.length === 0);
  return (
    <Page
      title={scheduled ? "New schedule" : "New scan"}
      breadcrumbs={crumbs}
      description="Looks for a better configuration of one agent, and asks an untouched holdout whether it is better."
      actions={
        <Button type="submit" form={FORM} variant="primary" pending={sending.isPending} disabled={!may || wanted === null || (!scheduled && preview.data?.ready === false && asked === wanted)} title={may ? undefined : lacking("write:workspace")}>
          {scheduled ? "Create schedule" : "Start scan"}
        </Button>
      }
    >
      {error !== null && <ProblemNotice error={error} retry={retry} />}
      {choices === null ? (
        error === null && <Skeleton className="h-96 w-full" />
      ) : lacks ? (
        <ScanNeeds workspaceId={workspaceId} agents={choices.agents} sampleSets={choices.sampleSets} objectives={choices.objectives.length} />
      ) : (
        <div className="grid min-w-0 grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem] xl:grid-cols-[minmax(0,1fr)_23rem]">
          <form id={FORM} onSubmit={submit} className="flex min-w-0 flex-col gap-4">
            {sending.error !== null && !refused.complete && <ProblemNotice error={sending.error} />}
            <SubjectFields choices={choices} draft={draft} errors={errors} onChange={changed(change)} />
            <SearchFields choices={choices} draft={draft} errors={errors} onChange={changed(change)} />
            <BudgetFields draft={draft} errors={errors} onChange={changed(change)} planned={preview.data?.plan?.max_evaluations ?? null} least={preview.data?.least_evaluations ?? null} scheduled={scheduled} />
            <Panel
              title="When"
              actions={<Switch label="On a schedule" checked={scheduled} onCheckedChange={(on) => void navigate({ search: (before) => ({ ...before, schedule: on || undefined }), replace: true })} />}
            >
              {scheduled ? (
                <ScheduleFields draft={schedule} errors={planErrors} onChange={changed((next) => setSchedule((before) => ({ ...before, ...next })))} />
              ) : (
                <p className="text-sm text-muted">Once, now.</p>
              )}
            </Panel>
          </form>
          <ScanPreview
            preview={preview.data}
            stale={preview.isFetching || asked !== wanted}
            error={preview.error}
            retry={() => void preview.refetch()}
            incomplete={may ? (Object.values(own)[0] ?? null) : lacking("write:workspace")}
          />
        </div>
      )}
    </Page>
  );
}

const NOTHING: ScanRequest = { agent_id: "", sample_set_id: "", objective_id: "" };

/** An empty choice is not yet a mistake; something mistyped is. */
function visible<T extends object>(errors: T): Partial<T> {
  return Object.fromEntries(Object.entries(errors).filter(([field]) => !["agentId", "sampleSetId", "objectiveId"].includes(field))) as Partial<T>;
}

/** The form is longer than a screen: what is wrong comes into view, with the focus, once it is drawn. */
function showFirstError(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>(`#${FORM} [aria-invalid=true], #${FORM} [role=alert]`)?.scrollIntoView({ block: "center" }));
  requestAnimationFrame(() => document.querySelector<HTMLElement>(`#${FORM} [aria-invalid=true]`)?.focus({ preventScroll: true }));
}

/** The value once it has not changed for a while. */
function useSettled<T>(value: T, delayMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs);
    return () => clearTimeout(timer);
  }, [value, delayMs]);
  return settled;
}
