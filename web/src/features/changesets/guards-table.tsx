import { formatCount } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { StatusBadge } from "@/components/status-badge";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import type { GuardOutcome } from "./evidence-types";
import { guardLimit, guardName, guardSlack, guardValue } from "./guard-wording";
import { levelText, sentenceCase } from "./wording";

export interface GuardsTableProps {
  guards: readonly GuardOutcome[];
  alpha: number;
}

/** What the gain must not cost. Each guard is drawn on its own scale, because each has its own unit. */
export function GuardsTable({ guards, alpha }: GuardsTableProps) {
  if (guards.length === 0) {
    return (
      <Panel title="Guards">
        <p className="text-sm text-muted">The objective sets none: nothing but the objective itself was held against the candidate.</p>
      </Panel>
    );
  }
  return (
    <Panel
      title="Guards"
      description="A guard holds when the whole interval of what is left of its allowance is at least 0; the line is 0."
      padded={false}
    >
      <Table aria-label="Guards" className="min-w-2xl">
        <TableHead>
          <tr>
            <TableHeader>Guard</TableHeader>
            <TableHeader align="right">Champion</TableHeader>
            <TableHeader align="right">Candidate</TableHeader>
            <TableHeader align="right">Limit</TableHeader>
            <TableHeader className="w-1/5">Left of it, {levelText(1 - alpha)} interval</TableHeader>
            <TableHeader align="right">n</TableHeader>
            <TableHeader>Result</TableHeader>
          </tr>
        </TableHead>
        <TableBody>
          {guards.map((guard) => (
            <TableRow key={guard.name}>
              <th scope="row" className="px-3 py-1.5 text-left font-normal">
                {sentenceCase(guardName(guard.name))}
                {!guard.name.startsWith(guard.statistic) && <span className="text-muted"> ({guard.statistic})</span>}
              </th>
              <TableCell align="right">{guardValue(guard, guard.champion)}</TableCell>
              <TableCell align="right">{guardValue(guard, guard.challenger)}</TableCell>
              <TableCell align="right">{guardLimit(guard)}</TableCell>
              <TableCell>
                <Slack guard={guard} />
              </TableCell>
              <TableCell align="right">{formatCount(guard.n)}</TableCell>
              <TableCell>
                <StatusBadge status={guard.status} />
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Panel>
  );
}

const TONES = { held: "good", harmed: "bad", unclear: "warn" } as const;

function Slack({ guard }: { guard: GuardOutcome }) {
  const { slack, low, high } = guard;
  if (slack === null || low === null || high === null) {
    return (
      <span className="text-muted" title="Too few values are known to judge it">
        unknown
      </span>
    );
  }
  const reach = Math.max(Math.abs(low), Math.abs(high), 1e-12) * 1.1;
  const text = `${guardSlack(guard, slack)} [${guardSlack(guard, low)}, ${guardSlack(guard, high)}]`;
  return (
    <div className="flex min-w-36 flex-col">
      <IntervalBar
        low={low}
        high={high}
        value={slack}
        zero={0}
        domain={[Math.min(low * 1.1, -reach / 4), Math.max(high * 1.1, reach / 4)]}
        tone={TONES[guard.status]}
        label={`${guardName(guard.name)}, left of the allowance: ${text}`}
      />
      <span className="numeric text-xs whitespace-nowrap text-muted">{text}</span>
    </div>
  );
}
