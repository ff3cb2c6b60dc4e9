import { formatCount, formatPercent, shortId } from "@/components/format";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Checkbox } from "@/components/ui/checkbox";
import { Panel } from "@/components/ui/panel";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import type { Cluster } from "./cluster-queries";

export interface ClusterTableProps {
  rows: readonly Cluster[];
  agents: ReadonlyMap<string, string>;
  openId: string | undefined;
  onOpen: (id: string) => void;
  checked: ReadonlySet<string>;
  /** Left out where the person may not curate. */
  onCheckedChange: ((checked: ReadonlySet<string>) => void) | undefined;
}

export function ClusterTable({ rows, agents, openId, onOpen, checked, onCheckedChange }: ClusterTableProps) {
  const check = (id: string, on: boolean) => {
    const next = new Set(checked);
    if (on) next.add(id);
    else next.delete(id);
    onCheckedChange?.(next);
  };
  const largest = Math.max(1, ...rows.map((row) => row.size));
  return (
    <Panel padded={false}>
      <Table aria-label="Clusters" className="min-w-2xl">
        <TableHead>
          <tr>
            <TableHeader className="w-9">
              <span className="sr-only">Checked</span>
            </TableHeader>
            <TableHeader>Kind of failure</TableHeader>
            <TableHeader>Status</TableHeader>
            <TableHeader>
              <span title="In the last scan that saw it">Failures</span>
            </TableHeader>
            <TableHeader align="right">
              <span title="Of all failures of that scan">Share</span>
            </TableHeader>
            <TableHeader align="right">
              <span title="In how many of the agent's last ten scans it was seen">Seen in scans</span>
            </TableHeader>
            <TableHeader>Last seen</TableHeader>
          </tr>
        </TableHead>
        <TableBody>
          {rows.map((row) => (
            <TableRow key={row.id} selected={row.id === openId}>
              <TableCell>
                <Checkbox
                  aria-label={`Check ${row.label}`}
                  checked={checked.has(row.id)}
                  disabled={!onCheckedChange}
                  onCheckedChange={(on) => check(row.id, on)}
                />
              </TableCell>
              <TableCell className="w-full max-w-0">
                <button
                  type="button"
                  onClick={() => onOpen(row.id)}
                  title={row.label}
                  className="block max-w-full truncate rounded-sm text-left font-medium hover:underline"
                >
                  {row.label}
                </button>
                <span className="block truncate text-xs text-muted" title={row.examples[0]?.text ?? undefined}>
                  {agents.get(row.agent_id) ?? shortId(row.agent_id)} · {row.note || row.examples[0]?.text || "no example"}
                </span>
              </TableCell>
              <TableCell>
                <StatusBadge status={row.status} />
              </TableCell>
              <TableCell>
                <span className="flex items-center gap-2">
                  <span className="numeric w-8 text-right">{formatCount(row.size)}</span>
                  <span aria-hidden className="h-2 w-16">
                    <span className="block h-full rounded-sm bg-series-1/60" style={{ width: `${(row.size / largest) * 100}%` }} />
                  </span>
                </span>
              </TableCell>
              <TableCell align="right">{formatPercent(row.share)}</TableCell>
              <TableCell align="right" className="whitespace-nowrap">
                {formatCount(row.recurrence.seen)} of {formatCount(row.recurrence.scans)}
              </TableCell>
              <TableCell className="whitespace-nowrap">
                <Time at={row.last_seen_at} />
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Panel>
  );
}
