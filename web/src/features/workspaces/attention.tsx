import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useWorkspaceId } from "@/api/access";
import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { formatCount, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import type { useHealth } from "@/features/workspaces/use-health";

const LINK = "text-accent underline underline-offset-2";

/** Everything of W/health that needs somebody, each with the way to it; nothing where all is well. */
export function Attention({ health }: { health: ReturnType<typeof useHealth> }) {
  const workspaceId = useWorkspaceId();
  if (health.error !== null) return <ProblemNotice error={health.error} retry={() => void health.refetch()} />;
  if (health.data === undefined) return null;
  const items = itemsOf(health.data, workspaceId);
  if (items.length === 0) return null;
  return (
    <Panel title="Needs attention">
      <ul className="flex flex-col gap-3">
        {items.map(({ key, content }) => (
          <li key={key} className="flex gap-2.5">
            <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
            <div className="min-w-0 flex-1">{content}</div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function itemsOf(health: Schemas["WorkspaceHealthOut"], workspaceId: string): { key: string; content: ReactNode }[] {
  const items: { key: string; content: ReactNode }[] = [];
  for (const alert of health.guard_alerts) {
    items.push({
      key: `guard ${alert.changeset_id} ${alert.environment}`,
      content: (
        <>
          Version {alert.version} in {alert.environment}: {alert.finding}{" "}
          <Link
            to="/w/$workspaceId/changesets/$changesetId"
            params={{ workspaceId, changesetId: alert.changeset_id }}
            className={LINK}
          >
            Look at it, or roll back to version {alert.previous_version}
          </Link>
        </>
      ),
    });
  }
  for (const scan of health.failing_scans) {
    items.push({
      key: `scan ${scan.scan_id}`,
      content: (
        <>
          A scan failed <Time at={scan.finished_at} />
          {scan.type !== null && <> ({scan.type})</>}.{" "}
          <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: scan.scan_id }} className={LINK}>
            See why
          </Link>
        </>
      ),
    });
  }
  for (const refused of health.refused_schedules) {
    items.push({
      key: `schedule ${refused.schedule_id}`,
      content: (
        <>
          The schedule {refused.name} could not start its scan
          {refused.detail === null ? "." : `: ${refused.detail}.`}{" "}
          <Link to="/w/$workspaceId/scans/schedules" params={{ workspaceId }} className={LINK}>
            See why
          </Link>
        </>
      ),
    });
  }
  for (const holdout of health.stale_holdouts) {
    items.push({
      key: `holdout ${holdout.holdout_id}`,
      content: (
        <>
          A holdout is {holdout.reason === "exhausted" ? "spent: no more look can be decided on it" : "retired"}.{" "}
          <Link to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId: holdout.set_id }} className={LINK}>
            Freeze a new one
          </Link>
        </>
      ),
    });
  }
  for (const missing of health.missing_content) {
    const switches = Object.entries(missing.environment).map(([name, value]) => `${name}=${value}`);
    items.push({
      key: `content ${missing.scope} ${missing.instrumentation}`,
      content: (
        <>
          {formatCount(missing.without_content)} of {formatCount(missing.model_calls)} model calls of{" "}
          {missing.instrumentation} came without their messages. {missing.hint}
          {switches.length > 0 && (
            <div className="mt-2">
              <CodeBlock language="shell" code={switches.join("\n")} />
            </div>
          )}
        </>
      ),
    });
  }
  const refused = Object.entries(health.ingestion_errors);
  if (refused.length > 0) {
    items.push({
      key: "ingestion",
      content: <>Spans were refused: {refused.map(([reason, count]) => `${formatCount(count)} × ${reason}`).join(", ")}.</>,
    });
  }
  if (health.reasons.includes("no_recent_traces")) {
    items.push({
      key: "silence",
      content: (
        <>
          The last trace came <Time at={health.last_trace_seen_at} />.
        </>
      ),
    });
  }
  if (health.reasons.includes("observed_agents_limit")) {
    const { count, limit } = health.observed_agents;
    items.push({
      key: "observed",
      content: `${pluralise(count, "agent")} appeared by themselves; ${formatCount(limit)} is the limit, later ones are not made.`,
    });
  }
  if (health.open_support_grants > 0) {
    items.push({
      key: "support",
      content: `Operations staff may look into this workspace: ${pluralise(health.open_support_grants, "open grant")}.`,
    });
  }
  return items;
}
