import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatDuration, pluralise } from "@/components/format";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { BestSoFarChart } from "./best-so-far-chart";
import { CandidateTable } from "./candidate-table";
import type { Candidate } from "./candidates";
import { eventSentence } from "./event-sentence";
import { type PhaseTimes, type ScanEvent, type ScanState, kindOf } from "./scan-events";
import { ScanCost } from "./scan-cost";
import { KIND_LABELS, KIND_TONES } from "./scan-log";
import { ScanOutcomePanel } from "./scan-outcome";
import { ScanPhases, spanOf } from "./scan-phases";
import type { PhaseResults, ScanDocument } from "./scan-results";
import { type ScanPhase, type ScanStatus, hasEnded } from "./scan-words";

const LATEST = 4;

export interface ScanOverviewProps {
  workspaceId: string;
  scan: ScanDocument;
  state: ScanState;
  status: ScanStatus;
  results: PhaseResults;
  candidates: readonly Candidate[];
  cost: Schemas["ScanCostOut"] | undefined;
  selected: number | undefined;
  onSelect: (ordinal: number) => void;
  onAllEvents: () => void;
}

export function ScanOverview({ workspaceId, scan, state, status, results, candidates, cost, selected, onSelect, onAllEvents }: ScanOverviewProps) {
  const compared = results.evaluate !== undefined;
  const finalists = candidates.filter((one) => one.comparison !== null).length;
  return (
    <>
      <ScanPhases phases={timesOf(state, scan)} results={results} status={status} />
      <div className="grid min-w-0 grid-cols-1 gap-4 lg:grid-cols-[minmax(0,1fr)_19rem] xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <ScanOutcomePanel workspaceId={workspaceId} scan={scan} results={results} />
          <Panel className={candidates.length > 0 ? "flex-1" : undefined} title="Best so far" description={candidates.length === 0 ? undefined : `${pluralise(candidates.length, "candidate")}, ${finalists} compared with the champion`}>
            {candidates.length === 0 ? (
              <EmptyState className="py-8" title={hasEnded(status) ? "No candidate was proposed" : "No candidate yet"}>
                {hasEnded(status) ? "The scan ended before a strategy found one." : "Strategies propose them in the phase Generate; Evaluate compares the best with the champion."}
              </EmptyState>
            ) : (
              <BestSoFarChart candidates={candidates} selected={selected} onSelect={onSelect} />
            )}
          </Panel>
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <ScanCost cost={cost} status={status} startedAt={scan.started_at} finishedAt={scan.finished_at} />
          <LatestEvents events={state.events} onAll={onAllEvents} />
        </div>
      </div>
      {candidates.length > 0 && (
        <Panel title="Candidates" padded={false}>
          <CandidateTable candidates={candidates} champion={results.champion} championVersion={scan.base_version} compared={compared || hasEnded(status)} selected={selected} onSelect={onSelect} />
        </Panel>
      )}
    </>
  );
}

/** The events are quicker, the document is complete: of each phase the one that knows more. */
function timesOf(state: ScanState, scan: ScanDocument): ReadonlyMap<ScanPhase, PhaseTimes> {
  const times = new Map(state.phases);
  for (const phase of scan.phases) {
    const known = times.get(phase.name);
    if (!known || (known.finishedAt === null && phase.finished_at !== null)) times.set(phase.name, { startedAt: phase.started_at, finishedAt: phase.finished_at });
  }
  return times;
}

function LatestEvents({ events, onAll }: { events: readonly ScanEvent[]; onAll: () => void }) {
  const start = events[0]?.created_at;
  return (
    <Panel
      className="flex-1"
      title="Latest events"
      padded={false}
      actions={
        <Button size="sm" variant="ghost" onClick={onAll}>
          All {formatCount(events.length)}
        </Button>
      }
    >
      {events.length === 0 || start === undefined ? (
        <p className="p-3 text-sm text-muted">No event yet.</p>
      ) : (
        <ol className="divide-y divide-line">
          {events
            .slice(-LATEST)
            .reverse()
            .map((event) => (
              <li key={event.seq} className="px-3 py-1.5 text-xs">
                <span className="flex items-center justify-between gap-2">
                  <Badge tone={KIND_TONES[kindOf(event.type)]}>{KIND_LABELS[kindOf(event.type)]}</Badge>
                  <span className="numeric text-muted">+{formatDuration(spanOf(start, event.created_at))}</span>
                </span>
                <span className="mt-0.5 line-clamp-2 break-words" title={eventSentence(event)}>
                  {eventSentence(event)}
                </span>
              </li>
            ))}
        </ol>
      )}
    </Panel>
  );
}
