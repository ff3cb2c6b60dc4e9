import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { IntervalPlot } from "@/components/charts/interval-plot";
import { formatCount, formatPercent, pluralise, shortId } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { TextBody } from "@/components/text-body";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { CandidateLineage } from "./candidate-lineage";
import { effectTone } from "./effect-scale";
import type { ChangesetDetail } from "./evidence-types";
import { type Ablation, findingsOf } from "./scan-findings";
import { findingOf } from "./verdict-sentence";
import { enumerate } from "./wording";

const LINK = "text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent";

/** From what was observed to the verdict, each link of the chain with its page. */
export function WhySection({ changeset }: { changeset: ChangesetDetail }) {
  const workspaceId = useWorkspaceId();
  const scan = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/scans/{scan_id}",
    { params: { path: { workspace_id: workspaceId, scan_id: changeset.scan_id ?? "" } } },
    { enabled: changeset.scan_id !== null, staleTime: 60_000 },
  );
  const findings = scan.data ? findingsOf(scan.data) : null;
  const { clusters, trace_ids: traceIds, experiment } = changeset.evidence;
  return (
    <div className="flex flex-col gap-4">
      <Panel title="Why it is proposed">
        <TextBody text={changeset.rationale} />
      </Panel>
      <ol aria-label="Chain of evidence" className="flex flex-col">
        <Step number={1} title="Scan">
          {changeset.scan_id === null && <p className="text-muted">No scan: it was proposed by hand.</p>}
          {scan.isLoading && <SkeletonRows rows={1} label="Loading the scan" />}
          {scan.error && <ProblemNotice error={scan.error} retry={() => void scan.refetch()} />}
          {scan.data && (
            <p className="numeric">
              <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: scan.data.id }} className={LINK}>
                Scan {shortId(scan.data.id)}
              </Link>{" "}
              of version {formatCount(scan.data.base_version)} with {enumerate(scan.data.strategies.map((one) => one.replaceAll("_", " ")))},{" "}
              {formatCount(scan.data.progress.evaluations)} evaluations, finished <Time at={scan.data.finished_at} absent="not yet" />.
            </p>
          )}
        </Step>
        <Step number={2} title="Failures">
          {findings && findings.failures.length > 0 ? (
            <p className="numeric">
              The agent as it was failed on{" "}
              {enumerate(
                findings.failures.map(
                  (one) =>
                    `${formatCount(one.failures)} of ${formatCount(one.items)} samples of ${one.split} (${formatPercent(one.failures / (one.items || 1))})`,
                ),
              )}
              .
            </p>
          ) : (
            <p className="text-muted">How many failed is not written down.</p>
          )}
          <Traces traceIds={traceIds} setId={changeset.sample_set_id} />
        </Step>
        <Step number={3} title="Clusters of failures">
          {clusters.length === 0 ? (
            <p className="text-muted">The failures formed no clusters.</p>
          ) : (
            <>
              <p className="numeric">
                {pluralise(clusters.length, "kind")} of failure
                {findings?.unclustered ? `, and ${formatCount(findings.unclustered.size)} failures like no other` : ""}.{" "}
                <Link
                  to="/w/$workspaceId/changesets/$changesetId"
                  params={{ workspaceId, changesetId: changeset.id }}
                  search={{ section: "failures" }}
                  className={LINK}
                >
                  What the change does to each
                </Link>
              </p>
              <ul className="mt-1 flex flex-col">
                {clusters.slice(0, 5).map((cluster) => (
                  <li key={cluster.id} className="flex min-w-0 gap-2">
                    <span className="numeric w-10 shrink-0 py-0.5 text-right text-muted">{formatCount(cluster.size)}</span>
                    <Link
                      to="/w/$workspaceId/clusters"
                      params={{ workspaceId }}
                      search={{ cluster: cluster.id }}
                      className="min-w-0 truncate py-0.5 hover:underline"
                    >
                      {cluster.label}
                    </Link>
                  </li>
                ))}
              </ul>
            </>
          )}
        </Step>
        <Step number={4} title="Candidates, on the select split">
          {experiment ? (
            <>
              <CandidateLineage
                experimentId={experiment.id}
                proposedHash={changeset.evidence.candidate.candidate_config_hash}
                candidates={scan.data?.candidates ?? []}
              />
              <Link
                to="/w/$workspaceId/experiments/$experimentId"
                params={{ workspaceId, experimentId: experiment.id }}
                className={LINK}
              >
                The experiment, {pluralise(experiment.arms.length, "arm")} on {formatCount(experiment.items)} samples
              </Link>
            </>
          ) : (
            <p className="text-muted">There was no experiment.</p>
          )}
        </Step>
        <Step number={5} title="Ablations: what each change is worth">
          <Ablations ablations={findings?.ablations ?? []} />
        </Step>
        <Step number={6} title="Validation on the holdout" last>
          <Validation changeset={changeset} />
        </Step>
      </ol>
    </div>
  );
}

function Step({ number, title, last = false, children }: { number: number; title: string; last?: boolean; children: ReactNode }) {
  return (
    <li className="grid grid-cols-[1.5rem_minmax(0,1fr)] gap-x-3">
      <div aria-hidden className="flex flex-col items-center">
        <span className="numeric grid size-6 shrink-0 place-items-center rounded-full border border-line-strong/45 bg-surface text-2xs font-medium">
          {number}
        </span>
        {!last && <span className="w-px flex-1 bg-line-strong/45" />}
      </div>
      <section aria-label={title} className="mb-4 flex min-w-0 flex-col gap-1 rounded-md border border-line bg-surface p-3 text-sm">
        <h2 className="font-semibold">{title}</h2>
        {children}
      </section>
    </li>
  );
}

function Traces({ traceIds, setId }: { traceIds: readonly string[]; setId: string }) {
  const workspaceId = useWorkspaceId();
  if (traceIds.length === 0) {
    return (
      <p className="text-muted">
        The examples were imported, not made of traces; they are in the{" "}
        <Link to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId }} className={LINK}>
          sample set
        </Link>
        .
      </p>
    );
  }
  return (
    <p className="flex flex-wrap gap-x-2 gap-y-1">
      <span className="text-muted">Traces of the examples:</span>
      {traceIds.map((traceId) => (
        <Link
          key={traceId}
          to="/w/$workspaceId/traces/$traceId"
          params={{ workspaceId, traceId }}
          className={`${LINK} font-mono text-xs`}
        >
          {shortId(traceId)}
        </Link>
      ))}
    </p>
  );
}

function Ablations({ ablations }: { ablations: readonly Ablation[] }) {
  const known = ablations.flatMap(({ low, high, ...rest }) => (low === null || high === null ? [] : [{ ...rest, low, high }]));
  if (known.length === 0) {
    return <p className="text-muted">None was made: with a single change there is nothing to leave out.</p>;
  }
  return (
    <>
      <p className="text-muted">The candidate against itself without one of its changes, on the select split; 95 % intervals.</p>
      <IntervalPlot
        label="Worth of each change"
        as="points"
        zero={0}
        rows={known.map(({ pointer, worth, low, high, n }) => ({
          id: pointer,
          label: <code className="font-mono text-xs">{pointer}</code>,
          name: pointer,
          value: worth,
          low,
          high,
          n,
          tone: effectTone({ low, high }),
        }))}
      />
    </>
  );
}

function Validation({ changeset }: { changeset: ChangesetDetail }) {
  const workspaceId = useWorkspaceId();
  const look = changeset.validation;
  return (
    <>
      <p className="flex flex-wrap items-center gap-2">
        {look?.verdict && <StatusBadge status={look.verdict} />}
        <span className="numeric min-w-0">{findingOf(look, null).sentence}</span>
      </p>
      <Link
        to="/w/$workspaceId/changesets/$changesetId"
        params={{ workspaceId, changesetId: changeset.id }}
        search={{ section: "holdout" }}
        className={LINK}
      >
        The holdout and its looks
      </Link>
    </>
  );
}
