import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useActorNames } from "@/api/actors";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { EmptyState } from "@/components/empty-state";
import { UNKNOWN, formatCount, formatInterval, formatPercent, formatPoints, pluralise } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import type { ChangesetDetail, LiveGuard } from "./evidence-types";
import { GuardHistory } from "./guard-history";
import { liveGuardSentence } from "./live-guard-sentence";
import { ReleaseDialog } from "./release-dialog";
import { levelText, pointsSize } from "./wording";

export function PromotionSection({ changeset }: { changeset: ChangesetDetail }) {
  const { guard } = changeset;
  if (guard) return <Guarded changeset={changeset} guard={guard} />;
  const went = changeset.accepted_at !== null;
  return (
    <Panel>
      <EmptyState title={went ? "Nothing is watched" : "It has not been promoted"}>
        {went
          ? "No version was live in the environment before, or it was this one already: there is nothing to compare with."
          : "Once it is accepted, a share of the sessions stays with the version before, chosen by chance, and a guard compares the scores of both until it can decide."}
      </EmptyState>
    </Panel>
  );
}

function Guarded({ changeset, guard }: { changeset: ChangesetDetail; guard: LiveGuard }) {
  const workspaceId = useWorkspaceId();
  const nameOf = useActorNames();
  const may = useMay("approve:agents");
  const [releasing, setReleasing] = useState(false);
  const open = guard.state === "running" || guard.state === "alerting";
  return (
    <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="flex min-w-0 flex-col gap-4">
        <Panel
          title={
            <span className="flex items-center gap-2">
              Guard <StatusBadge status={guard.state} />
            </span>
          }
          actions={
            open ? (
              <Button
                size="sm"
                disabled={!may}
                title={may ? undefined : lacking("approve:agents")}
                onClick={() => setReleasing(true)}
              >
                Release early…
              </Button>
            ) : undefined
          }
        >
          <p className="numeric max-w-4xl text-sm break-words">{liveGuardSentence(guard)}</p>
          {guard.reason && guard.reason !== changeset.closed_reason && <p className="numeric mt-1 max-w-4xl text-sm break-words text-muted">{guard.reason}.</p>}
          {guard.crossovers > 0 && (
            <p className="numeric mt-1 text-sm text-muted">
              {pluralise(guard.crossovers, "session")} {guard.crossovers === 1 ? "was" : "were"} answered by the other arm's version. It
              makes the guard slower, not wrong; with more than a fifth of them it calls no version harmless.
            </p>
          )}
        </Panel>
        <Panel title="Arms" padded={false}>
          <Table aria-label="Arms" className="min-w-md">
            <TableHead>
              <tr>
                <TableHeader>Version</TableHeader>
                <TableHeader align="right">Share of sessions</TableHeader>
                <TableHeader align="right">Sessions counted</TableHeader>
                <TableHeader align="right">Mean score</TableHeader>
              </tr>
            </TableHead>
            <TableBody>
              {guard.arms.map((arm, index) => (
                <TableRow key={arm.version}>
                  <TableCell>
                    v{arm.version} <span className="text-muted">{index === 0 ? "new" : "before"}</span>
                  </TableCell>
                  <TableCell align="right">{formatPercent(arm.weight, { digits: 0 })}</TableCell>
                  <TableCell align="right">{formatCount(arm.sessions)}</TableCell>
                  <TableCell align="right">{arm.mean === null ? UNKNOWN : arm.mean.toFixed(3)}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        </Panel>
        <GuardHistory guard={guard} />
      </div>
      <Panel title="How it decides">
        <KeyValue
          items={[
            {
              label: "Effect",
              value:
                guard.effect.estimate === null ? (
                  <span title="Both arms need a session first">unknown</span>
                ) : (
                  <>
                    {formatPoints(guard.effect.estimate)}{" "}
                    <span className="text-muted">{formatInterval(guard.effect.low, guard.effect.high, "points")}</span>
                  </>
                ),
            },
            { label: "Interval", value: `${levelText(guard.effect.confidence)}, for all looks together` },
            { label: "Counts as no loss", value: `less than ${pointsSize(guard.margin)}` },
            { label: "Holdback", value: guard.holdback === null ? "none: it may alert, never roll back" : formatPercent(guard.holdback, { digits: 0 }) },
            {
              label: "Scores from",
              value:
                guard.source === null ? (
                  <span title="No online evaluation scores the agent, and no feedback has come">nothing yet</span>
                ) : guard.source === "evaluation" ? (
                  "an online evaluation"
                ) : (
                  "feedback of people and trusted keys"
                ),
            },
            { label: "Environment", value: guard.environment },
            { label: "Started", value: <Time at={guard.started_at} /> },
            ...(guard.alerted_at ? [{ label: "Alerted", value: <Time at={guard.alerted_at} /> }] : []),
            ...(guard.finished_at
              ? [
                  {
                    label: "Ended",
                    value: (
                      <>
                        <Time at={guard.finished_at} />
                        {guard.finished_by ? ` by ${nameOf(guard.finished_by)}` : ""}
                      </>
                    ),
                  },
                ]
              : []),
          ]}
        />
        <div className="mt-3 flex flex-col gap-1 text-xs text-muted">
          <span className="numeric">
            {formatCount(guard.sessions)} of at most {formatCount(guard.horizon)} sessions
          </span>
          <Progress value={guard.sessions / guard.horizon} label="Sessions counted, of the most that the guard waits for" />
        </div>
        <Link
          to="/w/$workspaceId/agents/$agentId"
          params={{ workspaceId, agentId: guard.agent_id }}
          className="mt-3 block text-sm text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent"
        >
          The agent's versions
        </Link>
      </Panel>
      <ReleaseDialog changeset={changeset} guard={guard} open={releasing} onOpenChange={setReleasing} />
    </div>
  );
}
