import { Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import { lacking, useMay } from "@/api/access";
import { formatDateTime, formatDuration, pluralise } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { TextBody } from "@/components/text-body";
import { Button } from "@/components/ui/button";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useNow } from "@/components/use-now";
import { eventDetail, waitOfStep } from "./event-words";
import { type LiveStep, type RunEvent, momentOf, shownStatus } from "./run-events";
import { durationOf } from "./step-bar";
import { useStep } from "./step-query";

export type StepSheetProps = {
  workspaceId: string;
  runId: string;
  generation: number;
  step: LiveStep;
  events: readonly RunEvent[];
  /** Absent where the run is not one that may be replayed. */
  onReplay?: () => void;
  onClose: () => void;
};

const MOST_EVENTS = 200;
const TICK_MS = 1_000;

export function StepSheet({ workspaceId, runId, generation, step, events, onReplay, onClose }: StepSheetProps) {
  const full = useStep(workspaceId, runId, generation, step);
  const may = useMay("write:workspace");
  const now = useNow(TICK_MS);
  const own = events.filter((event) => event.node === step.key && event.generation === generation && event.type !== "token");
  const duration = durationOf(step, now);
  const waiting = waitOfStep(step);
  return (
    <Sheet
      open
      onOpenChange={(open) => !open && onClose()}
      width={560}
      title={<span className="font-mono">{step.key}</span>}
      description={step.iteration > 1 ? `Iteration ${step.iteration}` : undefined}
      actions={
        onReplay && (
          <Button size="sm" disabled={!may} title={may ? undefined : lacking("write:workspace")} onClick={onReplay}>
            <RotateCcw aria-hidden />
            Replay from here
          </Button>
        )
      }
    >
      <div className="flex flex-col gap-4">
        <KeyValue
          items={[
            { label: "Status", value: <StatusBadge status={shownStatus(step)} /> },
            ...(waiting === "" ? [] : [{ label: "Waits for", value: waiting }]),
            ...(step.wait?.runId == null
              ? []
              : [
                  {
                    label: "Sub-workflow",
                    value: (
                      <Link to="/w/$workspaceId/runs/$runId" params={{ workspaceId, runId: step.wait.runId }} className="text-accent underline underline-offset-2">
                        its run
                      </Link>
                    ),
                  },
                ]),
            { label: "Kind", value: full.data?.kind ?? "–" },
            { label: "Attempts", value: full.data == null ? step.attempts : `${full.data.attempts} of at most ${full.data.max_attempts}` },
            { label: "Began", value: step.startedAt === null ? "Not yet" : formatDateTime(step.startedAt, { seconds: true }) },
            { label: "Duration", value: duration === null ? "–" : formatDuration(duration) },
          ]}
        />
        {full.error !== null && <ProblemNotice error={full.error} retry={() => void full.refetch()} />}
        {full.isPending ? (
          <SkeletonRows rows={5} />
        ) : (
          <>
            {(full.data?.error ?? null) !== null && <Part title="Error"><JsonView value={full.data?.error} label="Error" /></Part>}
            {step.text !== "" && <Part title={step.endedAt === null ? "Text so far" : "Streamed text"}><TextBody text={step.text} /></Part>}
            <Part title="Inputs"><Value value={full.data?.inputs} label="Inputs" /></Part>
            <Part title="Outputs"><Value value={full.data?.outputs} label="Outputs" /></Part>
          </>
        )}
        <Part title={pluralise(own.length, "event")}>
          <ol className="flex flex-col gap-1 text-xs">
            {own.slice(-MOST_EVENTS).map((event) => (
              <li key={event.seq} className="grid grid-cols-[8.5rem_minmax(0,1fr)] gap-2">
                <time dateTime={momentOf(event)} title={`Event ${event.seq}`} className="numeric text-muted">
                  {formatDateTime(momentOf(event), { seconds: true })}
                </time>
                <span className="min-w-0 break-words">
                  <span className="font-mono">{event.type}</span> {eventDetail(event)}
                </span>
              </li>
            ))}
          </ol>
        </Part>
      </div>
    </Sheet>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-1.5">
      <h3 className="text-xs font-semibold text-muted">{title}</h3>
      {children}
    </section>
  );
}

function Value({ value, label }: { value: unknown; label: string }) {
  if (value === null || value === undefined) return <p className="text-sm text-muted">None</p>;
  return <JsonView value={value} label={label} />;
}
