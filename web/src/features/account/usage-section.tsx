import { api } from "@/api/client";
import { formatBytes, formatCost, formatCount, formatDateTime } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { useIsOwner } from "@/features/account/use-owner";

/** What the account has used since the beginning of the month, by workspace. */
export function UsageSection() {
  const owns = useIsOwner();
  const usage = api.useQuery("get", "/api/v1/account/usage", { params: { query: { limit: 100 } } }, { enabled: owns === true });
  if (owns === false) {
    return (
      <Panel title="Usage">
        <p className="text-muted">Owners see what the account uses.</p>
      </Panel>
    );
  }
  if (usage.error !== null) return <ProblemNotice error={usage.error} retry={() => void usage.refetch()} />;
  if (usage.data === undefined) return <SkeletonRows rows={4} />;
  const { total, results, since, members } = usage.data;
  return (
    <>
      <Panel title="Usage" description={`Since ${formatDateTime(since)}`}>
        <div className="grid grid-cols-2 gap-4 sm:grid-cols-3 lg:grid-cols-6">
          <Stat label="Traces" value={formatCount(total.traces)} />
          <Stat label="Spans received" value={formatCount(total.received_spans)} hint={formatBytes(total.received_bytes)} />
          <Stat label="Scans" value={formatCount(total.scans)} />
          <Stat
            label="Spectral's model calls"
            value={formatCost(total.own_model_cost_usd)}
            hint={total.own_unpriced_calls > 0 ? `+ ${formatCount(total.own_unpriced_calls)} unpriced` : undefined}
          />
          <Stat
            label="Your agents' model calls"
            value={formatCost(total.observed_model_cost_usd)}
            hint={total.observed_unpriced_calls > 0 ? `+ ${formatCount(total.observed_unpriced_calls)} unpriced` : undefined}
          />
          <Stat label="People" value={formatCount(members)} />
        </div>
      </Panel>
      <Panel title="By workspace" padded={false}>
        <Table aria-label="Usage by workspace">
          <TableHead>
            <TableRow>
              <TableHeader>Workspace</TableHeader>
              <TableHeader align="right">Traces</TableHeader>
              <TableHeader align="right">Spans received</TableHeader>
              <TableHeader align="right">Received</TableHeader>
              <TableHeader align="right">Scans</TableHeader>
              <TableHeader align="right">Own calls</TableHeader>
              <TableHeader align="right">Agents' calls</TableHeader>
              <TableHeader align="right">Keys</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {results.map((one) => (
              <TableRow key={one.workspace_id}>
                <TableCell className="font-medium">{one.name}</TableCell>
                <TableCell align="right">{formatCount(one.traces)}</TableCell>
                <TableCell align="right">{formatCount(one.received_spans)}</TableCell>
                <TableCell align="right">{formatBytes(one.received_bytes)}</TableCell>
                <TableCell align="right">{formatCount(one.scans)}</TableCell>
                <TableCell align="right">{formatCost(one.own_model_cost_usd)}</TableCell>
                <TableCell align="right">{formatCost(one.observed_model_cost_usd)}</TableCell>
                <TableCell align="right">{formatCount(one.api_keys_active)}</TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </Panel>
    </>
  );
}
