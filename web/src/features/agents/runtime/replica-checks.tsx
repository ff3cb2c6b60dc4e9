import { Scale } from "lucide-react";
import { useState } from "react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount, UNKNOWN } from "@/components/format";
import { IntervalValue } from "@/components/interval-value";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { useAgentPath } from "../use-agent-path";
import { REPLICA_CHECKS, ReplicaCheckDialog } from "./replica-check-dialog";

type Check = Schemas["ReplicaCheckOut"];

/** How far the replica says what the agent was recorded to say. */
export function ReplicaChecks({ agent }: { agent: Schemas["AgentOut"] }) {
  const path = useAgentPath();
  const mayWrite = useMay("write:workspace");
  const [open, setOpen] = useState(false);
  const checks = api.useQuery(
    "get",
    REPLICA_CHECKS,
    { params: { path, query: { limit: 20 } } },
    { refetchInterval: ({ state }) => (state.data?.results.some(isGoing) ? 2_000 : false) },
  );
  const refusal = agent.latest_version === null ? "The agent has no config to check" : mayWrite ? undefined : lacking("write:workspace");
  return (
    <Panel
      title="Replica checks"
      description="Until the lower bound of the agreement is 90 % or more, verdicts about the replica are inconclusive."
      actions={
        <Button size="sm" disabled={refusal !== undefined} title={refusal} onClick={() => setOpen(true)}>
          <Scale aria-hidden />
          Check the replica…
        </Button>
      }
      padded={false}
    >
      {checks.error ? (
        <ProblemNotice error={checks.error} retry={() => void checks.refetch()} className="m-3" />
      ) : checks.isPending ? (
        <SkeletonRows rows={2} label="Loading the checks" />
      ) : checks.data.results.length === 0 ? (
        <EmptyState icon={<Scale />} title="Nobody has checked the replica">
          Make a sample set of the agent's traces that expects what they said, then compare: the config is executed on 100 to 500 of the
          samples outside of the holdout.
        </EmptyState>
      ) : (
        <Table aria-label="Replica checks">
          <TableHead>
            <TableRow>
              <TableHeader>When</TableHeader>
              <TableHeader>Status</TableHeader>
              <TableHeader align="right">Version</TableHeader>
              <TableHeader>Agreement, 95 % interval</TableHeader>
              <TableHeader align="right">Missing</TableHeader>
              <TableHeader>Verdict</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {checks.data.results.map((check) => (
              <TableRow key={check.id}>
                <TableCell className="whitespace-nowrap">
                  <Time at={check.created_at} />
                </TableCell>
                <TableCell>
                  <StatusBadge status={check.status} title={check.failure ? JSON.stringify(check.failure) : undefined} />
                </TableCell>
                <TableCell align="right">{check.version}</TableCell>
                <TableCell>
                  <Agreement check={check} />
                </TableCell>
                <TableCell align="right">{check.missing === null ? "–" : formatCount(check.missing)}</TableCell>
                <TableCell>
                  {check.status === "completed" &&
                    (check.agrees ? (
                      <Badge tone="good">Agrees</Badge>
                    ) : (
                      <Badge tone="warn" title="Fewer than 100 outputs were compared, or the lower bound is under 90 %">
                        Not shown to agree
                      </Badge>
                    ))}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
      <ReplicaCheckDialog agent={agent} open={open} onOpenChange={setOpen} />
    </Panel>
  );
}

function isGoing({ status }: Check): boolean {
  return status === "queued" || status === "running";
}

function Agreement({ check }: { check: Check }) {
  if (isGoing(check)) {
    return <span className="numeric text-muted">{formatCount(check.outputs)} answered so far</span>;
  }
  if (check.agreed === null || check.compared === null || check.compared === 0) return <span className="text-muted">{UNKNOWN}</span>;
  return <IntervalValue value={check.agreed / check.compared} low={check.lower} high={check.upper} n={check.compared} as="percent" level={0.95} />;
}
