import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCost, formatCount, formatTokens } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

/** What calls to providers' models used and cost, by model and purpose. The built-in models keep no such rows. */
export function ModelUsage() {
  const workspace_id = useWorkspaceId();
  const usage = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/models/usage", {
    params: { path: { workspace_id }, query: { limit: 100 } },
  });
  const list = usage.data?.results ?? [];
  return (
    <Panel title="Use of providers' models" padded={list.length === 0}>
      {usage.error !== null ? (
        <ProblemNotice error={usage.error} retry={() => void usage.refetch()} />
      ) : usage.isPending ? (
        <SkeletonRows rows={2} />
      ) : list.length === 0 ? (
        <p className="text-muted">No call yet. Calls of spectral-local are not listed: they cost nothing.</p>
      ) : (
        <Table aria-label="Use of providers' models">
          <TableHead>
            <TableRow>
              <TableHeader>Model</TableHeader>
              <TableHeader>Purpose</TableHeader>
              <TableHeader align="right">Calls</TableHeader>
              <TableHeader align="right">Failed</TableHeader>
              <TableHeader align="right">Input</TableHeader>
              <TableHeader align="right">Output</TableHeader>
              <TableHeader align="right">Cost</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {list.map((one) => (
              <TableRow key={`${one.model} ${one.purpose}`}>
                <TableCell className="font-mono text-xs">{one.model}</TableCell>
                <TableCell>{one.purpose}</TableCell>
                <TableCell align="right">{formatCount(one.calls)}</TableCell>
                <TableCell align="right">{formatCount(one.failed_calls)}</TableCell>
                <TableCell align="right">{formatTokens(one.input_tokens)}</TableCell>
                <TableCell align="right">{formatTokens(one.output_tokens)}</TableCell>
                <TableCell align="right">
                  {formatCost(one.cost_usd)}
                  {one.unpriced_calls > 0 && <span className="block text-xs text-muted">+ {formatCount(one.unpriced_calls)} unpriced</span>}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </Panel>
  );
}
