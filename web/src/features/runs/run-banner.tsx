import type { ReactNode } from "react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import { cn } from "@/components/cn";
import { formatDateTime } from "@/components/format";
import { statusLabel } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { messageOf } from "./run-events";

type Run = Schemas["RunOut"];

export type RunBannerProps = {
  workspaceId: string;
  run: Run;
  /** Another generation than the latest, where it is looked at. */
  earlier: { generation: number; status: string | null } | null;
  onLatest: () => void;
  /** The type of the signal that a step waits for. */
  waitsFor: string | null;
  onAnswer: (interrupt: Schemas["InterruptOut"]) => void;
  onSignal: (type: string) => void;
};

/** What the run needs now, or why it ended: a question, a pause, a wait, an error. Nothing while it goes on by itself. */
export function RunBanner({ workspaceId, run, earlier, onLatest, waitsFor, onAnswer, onSignal }: RunBannerProps) {
  const mayAnswer = useMay("approve:agents");
  const mayWrite = useMay("write:workspace");
  const questions = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/runs/{run_id}/interrupts",
    { params: { path: { workspace_id: workspaceId, run_id: run.id }, query: { status: "pending", limit: 20 } } },
    { enabled: run.pending_interrupts > 0 },
  );
  const asked = run.pending_interrupts > 0 ? (questions.data?.results ?? []) : [];
  const error = messageOf(run.error);
  const { node } = run.error ?? {};
  return (
    <>
      {earlier !== null && (
        <Line tone="neutral" action={<Button size="sm" onClick={onLatest}>Show the latest</Button>}>
          Steps, events and checkpoints are those of generation {earlier.generation}
          {earlier.status !== null && <> ({statusLabel(earlier.status).toLowerCase()})</>}; all else is of the latest, {run.generation}.
        </Line>
      )}
      {run.status === "failed" && error !== null && (
        <Line tone="bad">
          {typeof node === "string" && <span className="font-mono text-xs">{node}: </span>}
          {error}
        </Line>
      )}
      {run.status === "cancelled" && error !== null && <Line tone="neutral">{error}</Line>}
      {(run.status === "paused" || run.status === "pausing") && (
        <Line tone="warn">
          {run.status === "pausing" ? "Pausing: the steps in flight end first" : "Paused"}
          {typeof run.pause?.by === "string" && <> by <Actor by={run.pause.by} /></>}
          {typeof run.pause?.at === "string" && <>, <Time at={run.pause.at} /></>}
          {typeof run.pause?.reason === "string" && <>: {run.pause.reason}</>}. Timers run on; signals and answers are kept.
        </Line>
      )}
      {asked.map((question) => (
        <Line
          key={question.id}
          tone="warn"
          action={
            <Button size="sm" variant="primary" disabled={!mayAnswer} title={mayAnswer ? undefined : lacking("approve:agents")} onClick={() => onAnswer(question)}>
              Answer
            </Button>
          }
        >
          <span className="font-medium">{question.title}</span>{" "}
          <span className="text-muted">
            asks <span className="font-mono text-xs">{question.step}</span>
            {question.expires_at !== null && <>; without an answer by {formatDateTime(question.expires_at)}: {question.on_timeout}</>}
          </span>
        </Line>
      ))}
      {run.status === "waiting" && waitsFor !== null && (
        <Line
          tone="neutral"
          action={
            <Button size="sm" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} onClick={() => onSignal(waitsFor)}>
              Send it
            </Button>
          }
        >
          Waits for the signal <span className="font-mono text-xs">{waitsFor}</span>.
        </Line>
      )}
    </>
  );
}

const TONES = { bad: "bg-bad-soft text-bad", warn: "bg-warn-soft text-text", neutral: "bg-sunken text-text" };

function Line({ tone, action, children }: { tone: keyof typeof TONES; action?: ReactNode; children: ReactNode }) {
  return (
    <div className={cn("flex flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-1.5 text-sm sm:px-5", TONES[tone])}>
      <p className="min-w-0 break-words">{children}</p>
      {action}
    </div>
  );
}
