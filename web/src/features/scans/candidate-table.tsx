import { Badge, type Tone } from "@/components/ui/badge";
import { formatCount, formatInterval, formatPercent } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { IntervalValue } from "@/components/interval-value";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { type Candidate, type Standing, formatP, standingOf } from "./candidates";
import type { Rate } from "./scan-results";
import { strategyLabel } from "./scan-words";

export interface CandidateTableProps {
  candidates: readonly Candidate[];
  champion: Rate | null;
  championVersion: number;
  /** Whether the comparison is over, so that who has no number will get none. */
  compared: boolean;
  selected: number | undefined;
  onSelect: (ordinal: number) => void;
}

const TONES: Record<Standing, Tone> = { chosen: "good", beats: "info", behind: "neutral", "not compared": "neutral", waiting: "neutral" };
const TITLES: Record<Standing, string> = {
  chosen: "The largest gain that chance does not explain: it goes on to the holdout",
  beats: "Better than the champion on the select split, but another was better still",
  behind: "No gain on the select split that chance does not explain",
  "not compared": "Only so many finalists are compared: the first of every strategy before the second of any",
  waiting: "Is compared in the phase Evaluate",
};

export function CandidateTable({ candidates, champion, championVersion, compared, selected, onSelect }: CandidateTableProps) {
  const domain = domainOf(candidates);
  return (
    <Table aria-label="Candidates" className="min-w-[56rem]">
      <TableHead>
        <tr>
          <TableHeader className="w-12">#</TableHeader>
          <TableHeader>Strategy</TableHeader>
          <TableHeader title="What it was made from">Made from</TableHeader>
          <TableHeader>Changes</TableHeader>
          <TableHeader title="Mean paired gain of the objective over the champion on the select split, with its 95 % interval">Gain</TableHeader>
          <TableHeader className="w-36">
            <span className="sr-only">Interval</span>
          </TableHeader>
          <TableHeader align="right" title="Items that only the candidate passed, and that only the champion passed">Won / lost</TableHeader>
          <TableHeader align="right" title="One-sided, corrected after Holm for the number of candidates; at most 0.2 to go on">p, corrected</TableHeader>
          <TableHeader align="right" title="Share of passed items of the select split">Accuracy</TableHeader>
          <TableHeader>Standing</TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        <TableRow>
          <TableCell className="text-muted">–</TableCell>
          <TableCell className="font-medium">Champion</TableCell>
          <TableCell className="text-muted" colSpan={6}>
            Version {championVersion}
          </TableCell>
          <TableCell align="right">
            {champion ? <span title={`95 % interval ${formatInterval(champion.low, champion.high, "percent")}, n = ${champion.items}`}>{formatPercent(champion.value)}</span> : <Unknown title="Known once the phase Evaluate has finished" />}
          </TableCell>
          <TableCell />
        </TableRow>
        {candidates.map((one) => {
          const standing = standingOf(one, compared);
          const { comparison } = one;
          return (
            <TableRow key={one.ordinal} selected={one.ordinal === selected} onClick={() => onSelect(one.ordinal)}>
              <TableCell>
                <button type="button" className="numeric -mx-1 min-h-6 rounded-sm px-1 font-medium text-accent hover:underline dark:text-series-1" aria-label={`Candidate ${one.ordinal}: changes and numbers`}>
                  #{one.ordinal}
                </button>
              </TableCell>
              <TableCell className="whitespace-nowrap">{strategyLabel(one.strategy)}</TableCell>
              <TableCell className="numeric whitespace-nowrap text-muted">{one.parents.length > 0 ? one.parents.map((parent) => `#${parent}`).join(" + ") : "champion"}</TableCell>
              <TableCell className="max-w-56 truncate font-mono text-xs text-muted" title={one.pointers.join("\n")}>
                {one.pointers.map(placeName).join(", ")}
              </TableCell>
              <TableCell>{comparison ? <IntervalValue value={comparison.effect} low={comparison.low} high={comparison.high} n={comparison.n} as="points" level={0.95} /> : <Unknown title={TITLES[standing]} />}</TableCell>
              <TableCell>
                {comparison && (
                  <IntervalBar low={comparison.low} high={comparison.high} value={comparison.effect} zero={0} domain={domain} tone={comparison.beats ? "good" : "neutral"} label={`Gain of #${one.ordinal}: ${formatInterval(comparison.low, comparison.high, "points")} points`} />
                )}
              </TableCell>
              <TableCell align="right">{comparison ? `${formatCount(comparison.wins)} / ${formatCount(comparison.losses)}` : "–"}</TableCell>
              <TableCell align="right">{formatP(comparison?.pAdjusted)}</TableCell>
              <TableCell align="right">{comparison?.accuracy == null ? "–" : formatPercent(comparison.accuracy)}</TableCell>
              <TableCell className="whitespace-nowrap">
                <Badge tone={TONES[standing]} title={TITLES[standing]}>
                  {standing === "beats" ? "beats champion" : standing}
                </Badge>
                {one.flags.length > 0 && (
                  <Badge tone="warn" className="ml-1" title={one.flags.join("\n")}>
                    {one.flags.length} flagged
                  </Badge>
                )}
              </TableCell>
            </TableRow>
          );
        })}
      </TableBody>
    </Table>
  );
}

function Unknown({ title }: { title: string }) {
  return (
    <span className="text-muted" title={title}>
      –
    </span>
  );
}

/** "/prompts/main/messages/0/content" is too long for a column: the end tells the places apart. */
function placeName(pointer: string): string {
  const parts = pointer.split("/").slice(1);
  return parts.length <= 2 ? parts.join("/") : `${parts[0]}/…/${parts.slice(-2).join("/")}`;
}

function domainOf(candidates: readonly Candidate[]): [number, number] {
  const bounds = candidates.flatMap(({ comparison }) => (comparison ? [comparison.low, comparison.high] : []));
  return [Math.min(-0.02, ...bounds), Math.max(0.05, ...bounds)];
}
