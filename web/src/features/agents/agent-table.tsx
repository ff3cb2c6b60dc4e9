import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { type Schemas, api } from "@/api/client";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { runtimeKind } from "./runtime/settings";
import { PRODUCTION, liveOf } from "./versions/environments";

/** So many scans are read to find the latest one of each agent. */
const SCANS = 100;

export function AgentTable({ agents }: { agents: readonly Schemas["AgentOut"][] }) {
  const workspaceId = useWorkspaceId();
  const scans = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/scans", {
    params: { path: { workspace_id: workspaceId }, query: { limit: SCANS } },
  });
  return (
    <Table aria-label="Agents">
      <TableHead>
        <TableRow>
          <TableHeader>Name</TableHeader>
          <TableHeader>Runtime</TableHeader>
          <TableHeader>Live</TableHeader>
          <TableHeader align="right">Versions</TableHeader>
          <TableHeader>Latest scan</TableHeader>
          <TableHeader>Last seen in traces</TableHeader>
        </TableRow>
      </TableHead>
      <TableBody>
        {agents.map((agent) => (
          <TableRow key={agent.id} className="hover:bg-hover">
            <TableCell className="max-w-48 sm:max-w-96">
              <Link
                to="/w/$workspaceId/agents/$agentId"
                params={{ workspaceId, agentId: agent.id }}
                className="block truncate font-medium hover:underline"
              >
                {agent.name}
              </Link>
              {agent.description && (
                <span className="block truncate text-xs text-muted" title={agent.description}>
                  {agent.description}
                </span>
              )}
            </TableCell>
            <TableCell className="whitespace-nowrap">
              <Runtime agent={agent} />
            </TableCell>
            <TableCell>
              <LiveBadges live={agent.live} />
            </TableCell>
            <TableCell align="right">{agent.latest_version ?? <None title="No config yet" />}</TableCell>
            <TableCell>
              <LatestScan scans={scans.data} agentId={agent.id} />
            </TableCell>
            <TableCell className="whitespace-nowrap text-muted">
              <Time at={agent.last_seen_at} absent="never" />
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}

function Runtime({ agent }: { agent: Schemas["AgentOut"] }) {
  const kind = runtimeKind(agent.runtime);
  return (
    <span className="inline-flex items-center gap-1.5" title={kind.hint}>
      {kind.label}
      {agent.runtime_settings.replica === true && <Badge title="A reconstruction of an agent that runs elsewhere">Replica</Badge>}
      {agent.status === "observed" && agent.runtime !== "observed" && <Badge>Observed</Badge>}
    </span>
  );
}

function LiveBadges({ live }: { live: Schemas["AgentOut"]["live"] }) {
  const all = liveOf(live, []);
  if (all.length === 0) return <None title="No version is live anywhere" />;
  return (
    <span className="flex flex-wrap gap-1">
      {all.map(({ environment, version }) => (
        <Badge key={environment} tone={environment === PRODUCTION ? "good" : "neutral"}>
          {environment} <span className="numeric">v{version}</span>
        </Badge>
      ))}
    </span>
  );
}

function LatestScan({ scans, agentId }: { scans: Schemas["Collection_ScanSummary_"] | undefined; agentId: string }) {
  const workspaceId = useWorkspaceId();
  if (!scans) return null;
  const latest = scans.results.find((scan) => scan.agent_id === agentId);
  if (!latest) {
    return <None title={scans.pagination.total > SCANS ? `None among the ${SCANS} newest scans` : "Never scanned"} />;
  }
  return (
    <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: latest.id }} className="inline-flex items-center gap-2 hover:underline">
      <StatusBadge status={latest.status} />
      <Time at={latest.created_at} className="text-xs whitespace-nowrap text-muted" />
    </Link>
  );
}

function None({ title }: { title: string }) {
  return (
    // Positioned, so that the hidden text is cut off with the table where that scrolls.
    <span className="relative text-muted" title={title}>
      –<span className="sr-only"> {title}</span>
    </span>
  );
}
