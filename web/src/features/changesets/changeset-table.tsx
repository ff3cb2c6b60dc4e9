import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useActorNames } from "@/api/actors";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCost, formatCount, formatInterval, formatPoints, shortId } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { IntervalValue } from "@/components/interval-value";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { effectTone, isKnown } from "./effect-scale";
import type { Changeset, Look } from "./evidence-types";
import { versions } from "./wording";

/** On a phone the first column tells the rest; a small window leaves out what the change set itself says. */
const WIDE = "max-sm:hidden";
const WIDEST = "max-xl:hidden";

export interface ChangesetTableProps {
  rows: readonly Changeset[];
  agents: ReadonlyMap<string, string>;
}

export function ChangesetTable({ rows, agents }: ChangesetTableProps) {
  const looks = useLastLooks(rows);
  const nameOf = useActorNames();
  const domain = commonDomain(rows);
  return (
    <Panel padded={false}>
      <Table aria-label="Change sets" className="sm:min-w-[43rem]">
        <TableHead>
          <tr>
            <TableHeader>Change</TableHeader>
            <TableHeader className={WIDE}>State</TableHeader>
            <TableHeader className={WIDEST}>Verdict</TableHeader>
            <TableHeader className={`${WIDE} w-1/4`}>
              <span title="The mean gain of the objective on the holdout with its 95 % interval; the line is no difference">
                Effect on the holdout, 95 % interval
              </span>
            </TableHeader>
            <TableHeader align="right" className={WIDE}>
              n
            </TableHeader>
            <TableHeader align="right" className={WIDEST}>
              <span title="Cost of the last look at the holdout">Look cost</span>
            </TableHeader>
            <TableHeader className={WIDE}>Created</TableHeader>
          </tr>
        </TableHead>
        <TableBody>
          {rows.map((row) => (
            <Row
              key={row.id}
              row={row}
              agent={agents.get(row.agent_id) ?? `Agent ${shortId(row.agent_id)}`}
              look={looks.get(row.id)}
              domain={domain}
              creator={nameOf(row.created_by)}
            />
          ))}
        </TableBody>
      </Table>
    </Panel>
  );
}

interface RowProps {
  row: Changeset;
  agent: string;
  look: Look | undefined;
  domain: readonly [number, number];
  creator: string;
}

function Row({ row, agent, look, domain, creator }: RowProps) {
  const workspaceId = useWorkspaceId();
  const effect = row.effect_95;
  return (
    <TableRow className="relative hover:bg-hover has-[a:focus-visible]:bg-hover">
      <TableCell className="max-w-0 sm:w-[40%]">
        <Link
          to="/w/$workspaceId/changesets/$changesetId"
          params={{ workspaceId, changesetId: row.id }}
          className="font-medium after:absolute after:inset-0 after:content-['']"
        >
          {agent} <span className="numeric whitespace-nowrap">{versions(row)}</span>
        </Link>
        <div className="truncate text-xs text-muted" title={row.rationale}>
          {row.target_environment} · {row.rationale}
        </div>
        <div className="mt-1 flex flex-wrap items-center gap-2 sm:hidden">
          <StatusBadge status={row.state} />
          {effect && (
            <IntervalValue as="points" level={0.95} value={effect.mean} low={effect.low} high={effect.high} n={look?.n} className="text-xs" />
          )}
        </div>
      </TableCell>
      <TableCell className={WIDE}>
        <StatusBadge status={row.state} />
        {row.further_samples !== null && (
          <div className="numeric mt-0.5 text-xs whitespace-nowrap text-muted">needs {formatCount(row.further_samples)} more</div>
        )}
      </TableCell>
      <TableCell className={WIDEST}>
        {row.verdict ? (
          <span className="whitespace-nowrap">{row.verdict}</span>
        ) : (
          <span className="text-muted" title="No look at the holdout has ended yet">
            –
          </span>
        )}
      </TableCell>
      <TableCell className={WIDE}>
        {effect && isKnown(effect) ? (
          <div className="grid grid-cols-[minmax(6rem,1fr)_7.25rem] items-center gap-3">
            <IntervalBar
              low={effect.low}
              high={effect.high}
              value={effect.mean}
              zero={0}
              domain={domain}
              tone={effectTone(effect)}
              label={`${formatPoints(effect.mean)} ${formatInterval(effect.low, effect.high, "points")}`}
            />
            <span className="numeric text-right whitespace-nowrap">
              {formatPoints(effect.mean)}
              <span className="block text-xs text-muted">{formatInterval(effect.low, effect.high, "points")}</span>
            </span>
          </div>
        ) : (
          <span className="text-muted" title="Not measured on the holdout">
            {effect ? `${formatPoints(effect.mean)}, no interval` : "–"}
          </span>
        )}
      </TableCell>
      <TableCell align="right" className={WIDE}>
        {look?.n === undefined || look.n === null ? <Absent /> : formatCount(look.n)}
      </TableCell>
      <TableCell align="right" className={WIDEST}>
        {look ? formatCost(look.cost_usd) : <Absent />}
      </TableCell>
      <TableCell className={`${WIDE} whitespace-nowrap`}>
        <Time at={row.created_at} />
        <div className="max-w-40 truncate text-xs text-muted">by {creator}</div>
      </TableCell>
    </TableRow>
  );
}

function Absent() {
  return (
    <span className="text-muted" title="Not measured on the holdout">
      –
    </span>
  );
}

/** The list does not say how many samples are behind an effect; the last look does. */
function useLastLooks(rows: readonly Changeset[]): ReadonlyMap<string, Look> {
  const workspaceId = useWorkspaceId();
  const tested = rows.filter((row) => row.verdict !== null);
  const answers = useQueries({
    queries: tested.map((row) =>
      api.queryOptions(
        "get",
        "/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/validation",
        { params: { path: { workspace_id: workspaceId, changeset_id: row.id }, query: { limit: 1 } } },
        { staleTime: 300_000 },
      ),
    ),
  });
  return new Map(
    answers.flatMap((answer) => {
      const look = answer.data?.results[0];
      return look ? [[look.changeset_id, look] as const] : [];
    }),
  );
}

function commonDomain(rows: readonly Changeset[]): [number, number] {
  const bounds = rows.flatMap(({ effect_95: effect }) => (effect && isKnown(effect) ? [effect.low, effect.high] : []));
  const low = Math.min(0, ...bounds);
  const high = Math.max(0, ...bounds);
  const room = (high - low || 0.1) * 0.05;
  return [low - room, high + room];
}
