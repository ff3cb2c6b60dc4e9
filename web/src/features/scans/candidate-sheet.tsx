import { Suspense, lazy, useState } from "react";
import { api } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { formatCount, formatPercent } from "@/components/format";
import { IntervalValue } from "@/components/interval-value";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Segmented } from "@/components/ui/segmented";
import { Sheet } from "@/components/ui/sheet";
import { Skeleton } from "@/components/ui/skeleton";
import { useMedia } from "@/components/use-media";
import { type Candidate, formatP } from "./candidates";
import { asText, valueAt } from "./config-places";
import { strategyLabel } from "./scan-words";

const DiffView = lazy(() => import("@/components/editor/diff-view").then((module) => ({ default: module.DiffView })));

export interface CandidateSheetProps {
  candidate: Candidate | undefined;
  all: readonly Candidate[];
  agentId: string;
  baseVersion: number;
  onSelect: (ordinal: number) => void;
  onClose: () => void;
}

export function CandidateSheet({ candidate, all, agentId, baseVersion, onSelect, onClose }: CandidateSheetProps) {
  return (
    <Sheet
      open={candidate !== undefined}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      width={820}
      title={candidate ? `Candidate #${candidate.ordinal}, ${strategyLabel(candidate.strategy).toLowerCase()}` : "Candidate"}
      description={candidate?.selected ? "Chosen for the holdout" : undefined}
      actions={candidate && <Steps candidate={candidate} all={all} onSelect={onSelect} />}
    >
      {candidate && <Body key={candidate.ordinal} candidate={candidate} all={all} agentId={agentId} baseVersion={baseVersion} onSelect={onSelect} />}
    </Sheet>
  );
}

function Steps({ candidate, all, onSelect }: { candidate: Candidate; all: readonly Candidate[]; onSelect: (ordinal: number) => void }) {
  const at = all.findIndex((one) => one.ordinal === candidate.ordinal);
  const [before, after] = [all[at - 1], all[at + 1]];
  return (
    <>
      <Button size="sm" variant="ghost" disabled={!before} onClick={() => before && onSelect(before.ordinal)}>
        Previous
      </Button>
      <Button size="sm" variant="ghost" disabled={!after} onClick={() => after && onSelect(after.ordinal)}>
        Next
      </Button>
    </>
  );
}

type BodyProps = Omit<CandidateSheetProps, "candidate" | "onClose"> & { candidate: Candidate };

function Body({ candidate, all, agentId, baseVersion, onSelect }: BodyProps) {
  const { comparison, parents, flags } = candidate;
  const [against, setAgainst] = useState("champion");
  const parent = all.find((one) => String(one.ordinal) === against);
  return (
    <div className="flex min-w-0 flex-col gap-4">
      <p className="text-sm break-words">{candidate.rationale || "No reason given."}</p>
      <KeyValue
        columns={2}
        items={[
          {
            label: "Gain",
            value: comparison ? <IntervalValue value={comparison.effect} low={comparison.low} high={comparison.high} n={comparison.n} as="points" level={0.95} className="whitespace-normal" /> : "not compared",
          },
          { label: "Accuracy", value: comparison?.accuracy == null ? "–" : formatPercent(comparison.accuracy) },
          { label: "Won / lost", value: comparison ? `${formatCount(comparison.wins)} / ${formatCount(comparison.losses)} items` : "–" },
          { label: "p, corrected", value: formatP(comparison?.pAdjusted) },
          {
            label: "Made from",
            value:
              parents.length === 0
                ? `champion, version ${baseVersion}`
                : parents.map((ordinal) => (
                    <Button key={ordinal} variant="link" className="mr-2" onClick={() => onSelect(ordinal)}>
                      #{ordinal}
                    </Button>
                  )),
          },
          {
            label: "Pareto frontier",
            value: candidate.onFrontier === null ? "–" : candidate.onFrontier ? "on it" : "another is at least as good in everything",
          },
        ]}
      />
      {flags.length > 0 && (
        <div className="rounded-md border border-line bg-warn-soft p-3 text-sm">
          <p className="font-medium text-warn">Look at this text: it may have been copied out of a trace</p>
          <ul className="mt-1 flex flex-col gap-0.5 break-words">
            {flags.map((flag) => (
              <li key={flag}>{flag}</li>
            ))}
          </ul>
        </div>
      )}
      <section aria-label="Changes" className="flex min-w-0 flex-col gap-3">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <h3 className="text-sm font-semibold">Changes</h3>
          {parents.length > 0 && (
            <Segmented
              label="Compared with"
              value={against}
              onValueChange={setAgainst}
              options={[{ value: "champion", label: "Against the champion" }, ...parents.map((ordinal) => ({ value: String(ordinal), label: `Against #${ordinal}` }))]}
            />
          )}
        </div>
        <Changes candidate={candidate} parent={parent} agentId={agentId} baseVersion={baseVersion} />
      </section>
    </div>
  );
}

function Changes({ candidate, parent, agentId, baseVersion }: { candidate: Candidate; parent: Candidate | undefined; agentId: string; baseVersion: number }) {
  const workspaceId = useWorkspaceId();
  const wide = useMedia("(min-width: 900px)");
  const champion = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{version}",
    { params: { path: { workspace_id: workspaceId, agent_id: agentId, version: baseVersion } } },
    // A version never changes.
    { staleTime: Number.POSITIVE_INFINITY },
  );
  if (champion.error) return <ProblemNotice error={champion.error} retry={() => void champion.refetch()} />;
  if (!champion.data || candidate.changes === null) return <Skeleton className="h-64 w-full" />;
  const places = [...new Set([...Object.keys(candidate.changes), ...Object.keys(parent?.changes ?? {})])].sort();
  const base = champion.data.config;
  return places.map((pointer) => {
    const original = valueAt(base, pointer);
    const before = asText(parent?.changes && pointer in parent.changes ? parent.changes[pointer] : original);
    const after = asText(candidate.changes && pointer in candidate.changes ? candidate.changes[pointer] : original);
    return (
      <div key={pointer} className="min-w-0 overflow-hidden rounded-md border border-line">
        <p className="flex items-center justify-between gap-2 border-b border-line bg-sunken px-3 py-1.5">
          <span className="min-w-0 truncate font-mono text-xs">{pointer}</span>
          {before.text === after.text && <Badge>the same</Badge>}
        </p>
        <Suspense fallback={<Skeleton className="h-48 w-full" />}>
          <DiffView before={before.text} after={after.text} language={after.language} layout={wide ? "split" : "unified"} label={`Change at ${pointer}`} />
        </Suspense>
      </div>
    );
  });
}
