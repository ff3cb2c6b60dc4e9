import { Link } from "@tanstack/react-router";
import { useActorNames } from "@/api/actors";
import { useWorkspaceId } from "@/api/access";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCost, formatCount, formatInterval, formatPoints } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { useLooks } from "./changeset-queries";
import { actionsIn } from "./changeset-states";
import { effectTone, isKnown } from "./effect-scale";
import { ErrorBudget } from "./error-budget";
import type { ChangesetDetail, Look } from "./evidence-types";
import { LookButton } from "./look-dialog";
import { alphaText, levelText, pText } from "./wording";

export interface HoldoutSectionProps {
  changeset: ChangesetDetail;
  holdout: Schemas["HoldoutOut"] | undefined;
}

export function HoldoutSection({ changeset, holdout }: HoldoutSectionProps) {
  const looks = useLooks(changeset.id, changeset.state === "validating");
  const look = changeset.validation;
  return (
    <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
      <Panel
        title="Looks for this change set"
        description="Verdicts and intervals only: whoever saw single items of a holdout could fit the next candidate to them."
        padded={false}
        actions={actionsIn(changeset.state).includes("look") ? <LookButton changeset={changeset} /> : undefined}
      >
        {looks.error && <ProblemNotice error={looks.error} retry={() => void looks.refetch()} className="m-3" />}
        {!looks.data && !looks.error && <SkeletonRows rows={2} rowHeight={48} label="Loading the looks" />}
        {looks.data?.results.length === 0 && (
          <EmptyState title="The holdout has not been asked about this change set">
            A look measures champion and candidate on frozen samples that no search can read, and spends a planned part of the
            holdout's error budget, whatever it shows.
          </EmptyState>
        )}
        {looks.data && looks.data.results.length > 0 && <LooksTable looks={looks.data.results} />}
      </Panel>
      <div className="flex min-w-0 flex-col gap-4">
        {look && <ErrorBudget look={look} looksTaken={holdout?.looks} retiredAt={holdout?.retired_at ?? null} />}
        <HoldoutFacts changeset={changeset} holdout={holdout} />
      </div>
    </div>
  );
}

function LooksTable({ looks }: { looks: readonly Look[] }) {
  const nameOf = useActorNames();
  const bounds = looks.flatMap(({ effect }) => (isKnown(effect) ? [effect.low, effect.high] : []));
  const room = 0.05 * (Math.max(0, ...bounds) - Math.min(0, ...bounds) || 0.1);
  const domain = [Math.min(0, ...bounds) - room, Math.max(0, ...bounds) + room] as const;
  return (
    <Table aria-label="Looks at the holdout" className="min-w-3xl">
      <TableHead>
        <tr>
          <TableHeader>Look</TableHeader>
          <TableHeader>Result</TableHeader>
          <TableHeader align="right">α</TableHeader>
          <TableHeader className="w-1/4">Effect at the look's confidence</TableHeader>
          <TableHeader align="right">n</TableHeader>
          <TableHeader align="right">Exact test</TableHeader>
          <TableHeader align="right">Cost</TableHeader>
          <TableHeader>Asked</TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {looks.map((look) => (
          <TableRow key={look.id}>
            <TableCell className="numeric whitespace-nowrap">
              {look.look} of {look.looks_planned}
              {look.stage > 1 && <span className="text-muted"> · stage {look.stage}</span>}
            </TableCell>
            <TableCell>
              <StatusBadge status={look.verdict ?? look.status} title={look.failure?.detail} />
              {look.failure && <span className="block max-w-56 text-xs text-muted">{look.failure.detail}</span>}
            </TableCell>
            <TableCell align="right">{alphaText(look.alpha)}</TableCell>
            <TableCell>
              {isKnown(look.effect) ? (
                <div className="flex min-w-40 flex-col">
                  <IntervalBar
                    low={look.effect.low}
                    high={look.effect.high}
                    value={look.effect.mean}
                    zero={0}
                    threshold={look.minimum_effect}
                    domain={domain}
                    tone={effectTone(look.effect, look.minimum_effect)}
                    label={`Look ${look.look}: ${formatPoints(look.effect.mean)} ${formatInterval(look.effect.low, look.effect.high, "points")}`}
                  />
                  <span className="numeric text-xs whitespace-nowrap text-muted">
                    {formatPoints(look.effect.mean)} {formatInterval(look.effect.low, look.effect.high, "points")} at{" "}
                    {levelText(look.effect.confidence)}
                  </span>
                </div>
              ) : (
                <span className="text-muted">{look.effect ? `${formatPoints(look.effect.mean)}, no bounds` : "–"}</span>
              )}
            </TableCell>
            <TableCell align="right" className="whitespace-nowrap">
              {look.n === null ? "–" : formatCount(look.n)}
              <span className="text-muted"> of {formatCount(look.items)}</span>
            </TableCell>
            <TableCell align="right" className="whitespace-nowrap">
              {look.p_value === null ? "–" : pText(look.p_value)}
            </TableCell>
            <TableCell align="right">{formatCost(look.cost_usd)}</TableCell>
            <TableCell className="whitespace-nowrap">
              <Time at={look.created_at} />
              <div className="text-xs text-muted">by {nameOf(look.requested_by)}</div>
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}

function HoldoutFacts({ changeset, holdout }: HoldoutSectionProps) {
  const workspaceId = useWorkspaceId();
  const nameOf = useActorNames();
  return (
    <Panel title="The holdout">
      {holdout ? (
        <KeyValue
          items={[
            { label: "Samples", value: formatCount(holdout.size) },
            { label: "Looks, all told", value: formatCount(holdout.looks) },
            {
              label: "Frozen",
              value: (
                <>
                  <Time at={holdout.frozen_at} /> by {nameOf(holdout.frozen_by)}
                </>
              ),
            },
            {
              label: "State",
              value: holdout.retired_at ? (
                <>
                  retired <Time at={holdout.retired_at} />
                  {holdout.retired_reason ? `: ${holdout.retired_reason}` : ""}
                </>
              ) : (
                "in use"
              ),
            },
            {
              label: "Digest",
              value: (
                <span className="font-mono text-xs break-all" title="SHA-256 over the frozen samples">
                  {holdout.digest}
                </span>
              ),
            },
          ]}
        />
      ) : (
        <p className="text-sm text-muted">
          {changeset.validation ? "Loading…" : "Which holdout is asked is decided by the first look: the one of the sample set that is in use then."}
        </p>
      )}
      <Link
        to="/w/$workspaceId/samples/$setId"
        params={{ workspaceId, setId: changeset.sample_set_id }}
        search={{ tab: "holdout" }}
        className="mt-2 block text-sm text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent"
      >
        Its sample set
      </Link>
    </Panel>
  );
}
