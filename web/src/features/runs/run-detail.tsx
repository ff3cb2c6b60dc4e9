import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { toast } from "sonner";
import type { Schemas } from "@/api/client";
import { cn } from "@/components/cn";
import { shortId } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { Tabs } from "@/components/ui/tabs";
import { useMedia } from "@/components/use-media";
import { AnswerForm } from "./answer-form";
import { ForkDialog, ReplayDialog } from "./branch-dialogs";
import { graphStates, stepsOf } from "./graph-states";
import { RunActions } from "./run-actions";
import { RunBanner } from "./run-banner";
import { NO_GENERATION } from "./run-events";
import { RunFacts } from "./run-facts";
import { RunLive } from "./run-live";
import { hasEnded, isPlatformRun } from "./run-standing";
import { RunViews } from "./run-views";
import type { RunDetailSearch, RunTab } from "./search";
import { SignalDialog } from "./signal-dialog";
import { StepSheet } from "./step-sheet";
import { useRun, useRunGraph } from "./use-run";

const WorkflowGraph = lazy(async () => ({ default: (await import("@/components/graph/workflow-graph")).WorkflowGraph }));

const WIDE = "(min-width: 1024px)";
const route = getRouteApi("/w/$workspaceId/runs/$runId");

type Open =
  | { kind: "signal"; type: string }
  | { kind: "fork"; index: number }
  | { kind: "replay"; step: string | undefined }
  | { kind: "answer"; interrupt: Schemas["InterruptOut"] };

export function RunDetailPage() {
  const { runId } = route.useParams();
  // Another run has other events: nothing of this one is kept.
  return <RunPage key={runId} />;
}

function RunPage() {
  const { workspaceId, runId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const wide = useMedia(WIDE);
  const [open, setOpen] = useState<Open | null>(null);
  const { run, life, stream, streamError, reread, take } = useRun(workspaceId, runId);
  const { dag, pending, nodeOf, kindOf, before } = useRunGraph(workspaceId, run.data);
  const generation = search.generation ?? run.data?.generation ?? 1;
  const now = life.generations.get(generation) ?? NO_GENERATION;
  const states = useMemo(() => graphStates(now, nodeOf, before), [now, nodeOf, before]);
  const steps = useMemo(() => stepsOf(now.steps.values(), search.node, nodeOf), [now.steps, search.node, nodeOf]);
  const change = (next: Partial<RunDetailSearch>, replace = false) => void navigate({ search: (present) => ({ ...present, ...next }), replace });
  const crumbs = [{ label: "Runs", to: `/w/${workspaceId}/runs` }, { label: shortId(runId) }];

  if (run.error !== null && run.data === undefined) {
    return (
      <Page title="Run" breadcrumbs={crumbs}>
        <ProblemNotice error={run.error} retry={() => void run.refetch()} />
      </Page>
    );
  }
  if (run.data === undefined) {
    return (
      <Page title="Run" breadcrumbs={crumbs}>
        <Skeleton className="h-8 w-full" />
        <Skeleton className="h-96 w-full" />
      </Page>
    );
  }

  const name = run.data.workflow ?? run.data.name;
  const tab: RunTab = search.tab ?? "steps";
  const step = search.step === undefined ? undefined : now.steps.get(search.step);
  const platform = isPlatformRun(run.data);
  const closed = () => setOpen(null);
  const done = () => {
    closed();
    void reread();
  };
  const chooseNode = (node: string) => {
    const [only, ...others] = stepsOf(now.steps.values(), node, nodeOf);
    if (node === search.node && search.step !== undefined) return;
    if (node !== search.node || only !== undefined) change({ tab: undefined, node: others.length > 0 ? node : undefined, step: others.length === 0 ? only?.id : undefined });
  };
  const waitsFor = [...now.steps.values()].find((one) => one.status === "waiting" && one.wait?.type === "event")?.wait?.for ?? null;
  const hasGraph = pending || dag !== undefined;
  return (
    <Page
      fill={wide}
      breadcrumbs={crumbs}
      documentTitle={`Run of ${name}`}
      title={
        <>
          <span className="min-w-0 break-words">{name}</span>
          <StatusBadge status={run.data.status} />
          {run.data.name !== run.data.id && <span className="truncate font-mono text-sm font-normal text-muted">{run.data.name}</span>}
        </>
      }
      description={<RunLive stream={stream} lastSeq={life.lastSeq} error={streamError} known={run.data.last_seq} ended={hasEnded(run.data.status)} />}
      actions={
        <RunActions
          workspaceId={workspaceId}
          run={run.data}
          onSignal={() => setOpen({ kind: "signal", type: waitsFor ?? "" })}
          onReplay={() => setOpen({ kind: "replay", step: search.step === undefined ? undefined : step?.key })}
          onCheckpoints={() => change({ tab: "checkpoints" })}
          onDone={take}
          onDeleted={() => void navigate({ to: "/w/$workspaceId/runs", params: { workspaceId } })}
        />
      }
    >
      <div className={cn("flex min-w-0 flex-col", wide ? "min-h-0 flex-1" : "-m-3 sm:-m-5")}>
        <RunFacts workspaceId={workspaceId} run={run.data} generation={generation} onGeneration={(value) => change({ generation: value === run.data.generation ? undefined : value, step: undefined, checkpoint: undefined })} />
        <RunBanner
          workspaceId={workspaceId}
          run={run.data}
          earlier={generation === run.data.generation ? null : { generation, status: now.status }}
          onLatest={() => change({ generation: undefined, step: undefined, checkpoint: undefined })}
          waitsFor={generation === run.data.generation ? waitsFor : null}
          onAnswer={(interrupt) => setOpen({ kind: "answer", interrupt })}
          onSignal={(type) => setOpen({ kind: "signal", type })}
        />
        <div className={cn("flex min-w-0", wide ? "min-h-0 flex-1 flex-row" : "flex-col")}>
          {hasGraph && (
            <div className={cn("shrink-0 border-line", wide ? "h-full w-80 border-r xl:w-96" : "h-72 border-b")}>
              {dag === undefined ? (
                <Skeleton className="h-full w-full rounded-none" />
              ) : (
                <Suspense fallback={<Skeleton className="h-full w-full rounded-none" />}>
                  <WorkflowGraph label={`Graph of ${name}`} nodes={dag.nodes} edges={dag.edges} states={states} selected={step === undefined ? search.node : nodeOf(step.key)} onSelect={chooseNode} />
                </Suspense>
              )}
            </div>
          )}
          <div className={cn("flex min-w-0 flex-1 flex-col", !wide && "h-[75vh] min-h-96 flex-none")}>
            <div className="border-b border-line bg-surface px-1">
              <Tabs
                label="Views of the run"
                value={tab}
                onValueChange={(next) => change({ tab: next === "steps" ? undefined : next, find: undefined, checkpoint: undefined })}
                tabs={[
                  { value: "steps", label: "Steps", count: now.steps.size },
                  { value: "events", label: "Events" },
                  { value: "logs", label: "Logs" },
                  { value: "state", label: "State" },
                  { value: "checkpoints", label: "Checkpoints" },
                  { value: "signals", label: "Signals" },
                ]}
              />
            </div>
            <RunViews
              tab={tab}
              workspaceId={workspaceId}
              run={run.data}
              life={life}
              generation={generation}
              now={now}
              steps={steps}
              kindOf={kindOf}
              search={search}
              change={change}
              onFork={(index) => setOpen({ kind: "fork", index })}
              onSignal={() => setOpen({ kind: "signal", type: waitsFor ?? "" })}
            />
          </div>
        </div>
      </div>
      {step !== undefined && (
        <StepSheet
          workspaceId={workspaceId}
          runId={run.data.id}
          generation={generation}
          step={step}
          events={life.events}
          onReplay={platform || generation !== run.data.generation ? undefined : () => setOpen({ kind: "replay", step: step.key })}
          onClose={() => change({ step: undefined })}
        />
      )}
      {open?.kind === "signal" && <SignalDialog workspaceId={workspaceId} runId={run.data.id} type={open.type} onClose={closed} onDone={done} />}
      {open?.kind === "fork" && <ForkDialog workspaceId={workspaceId} runId={run.data.id} index={open.index} inputs={run.data.inputs} onClose={closed} />}
      {open?.kind === "replay" && (
        <ReplayDialog workspaceId={workspaceId} runId={run.data.id} step={open.step} steps={[...(life.generations.get(run.data.generation) ?? NO_GENERATION).iterations.keys()]} onClose={closed} />
      )}
      {open?.kind === "answer" && (
        <Dialog open onOpenChange={(shown) => !shown && closed()} title={open.interrupt.title} description={open.interrupt.description ?? undefined}>
          <AnswerForm
            interrupt={open.interrupt}
            onAnswered={(answer) => {
              closed();
              toast.success("Answered");
              take(answer.run);
            }}
          />
        </Dialog>
      )}
    </Page>
  );
}
