import { useMemo } from "react";
import type { Schemas } from "@/api/client";
import { MultiSelect } from "@/components/ui/combobox";
import { TabPanel } from "@/components/ui/tabs";
import { type EventRow, eventRows } from "./event-rows";
import { KIND_LABELS } from "./event-words";
import { RunCheckpoints } from "./run-checkpoints";
import type { LiveStep, RunGeneration, RunLife } from "./run-events";
import { RunLog } from "./run-log";
import { RunSignals } from "./run-signals";
import { actionsOf, hasEnded } from "./run-standing";
import { RunState } from "./run-state";
import { RunSteps } from "./run-steps";
import { EVENT_KINDS, LOG_LEVELS, type RunDetailSearch, type RunTab } from "./search";

export type RunViewsProps = {
  tab: RunTab;
  workspaceId: string;
  run: Schemas["RunOut"];
  life: RunLife;
  generation: number;
  now: RunGeneration;
  steps: readonly LiveStep[];
  kindOf: (key: string) => string | null;
  search: RunDetailSearch;
  change: (next: Partial<RunDetailSearch>, replace?: boolean) => void;
  onFork: (index: number) => void;
  onSignal: () => void;
};

/** What one tab shows. */
export function RunViews({ tab, workspaceId, run, life, generation, now, steps, kindOf, search, change, onFork, onSignal }: RunViewsProps) {
  const rows = useMemo(() => eventRows(life.events, generation), [life.events, generation]);
  const lines = useMemo(() => rows.filter(isLine), [rows]);
  const live = !hasEnded(run.status) && generation === run.generation;
  const allowed = actionsOf(run);
  const { kinds = [], levels = [], find = "" } = search;
  const onFind = (text: string) => change({ find: text || undefined }, true);
  return (
    <TabPanel value={tab} className="flex min-h-0 flex-1 flex-col">
      {tab === "steps" && (
        <RunSteps
          steps={steps}
          total={now.steps.size}
          node={search.node}
          onAllNodes={() => change({ node: undefined })}
          kindOf={kindOf}
          startedAt={now.startedAt}
          endedAt={now.endedAt}
          selected={search.step}
          onSelect={(step) => change({ step }, search.step !== undefined)}
          loading={life.lastSeq === 0}
        />
      )}
      {tab === "events" && (
        <RunLog
          as="events"
          noun="events"
          rows={rows}
          live={live}
          filter={{ kinds, levels: [], find }}
          onFind={onFind}
          narrowing={
            <MultiSelect
              size="sm"
              label="Kinds of events"
              placeholder="All kinds"
              className="w-36"
              values={kinds}
              onValuesChange={(values) => change({ kinds: values.length > 0 ? values : undefined }, true)}
              options={EVENT_KINDS.map((value) => ({ value, label: KIND_LABELS[value] }))}
            />
          }
        />
      )}
      {tab === "logs" && (
        <RunLog
          as="lines"
          noun="lines"
          rows={lines}
          live={live}
          filter={{ kinds: [], levels, find }}
          onFind={onFind}
          narrowing={
            <MultiSelect
              size="sm"
              label="Levels"
              placeholder="All levels"
              className="w-32"
              values={levels}
              onValuesChange={(values) => change({ levels: values.length > 0 ? values : undefined }, true)}
              options={LOG_LEVELS.map((value) => ({ value, label: value }))}
            />
          }
        />
      )}
      {tab === "state" && <RunState workspaceId={workspaceId} runId={run.id} generation={generation} />}
      {tab === "checkpoints" && (
        <RunCheckpoints
          workspaceId={workspaceId}
          runId={run.id}
          generation={generation}
          open={search.checkpoint}
          onOpen={(checkpoint) => change({ checkpoint })}
          onFork={allowed.has("fork") ? onFork : undefined}
        />
      )}
      {tab === "signals" && <RunSignals workspaceId={workspaceId} runId={run.id} onSend={allowed.has("signal") ? onSignal : undefined} />}
    </TabPanel>
  );
}

function isLine({ event }: EventRow): boolean {
  return event.type === "log";
}
