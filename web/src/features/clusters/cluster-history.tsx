import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { formatCount, formatPercent, shortId } from "@/components/format";
import { Time } from "@/components/time";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import type { ClusterDetail } from "./cluster-queries";

/** How large it was in each scan that saw it, the last one first. */
export function ClusterHistory({ history }: { history: ClusterDetail["history"] }) {
  const workspaceId = useWorkspaceId();
  const largest = Math.max(0.0001, ...history.map((sighting) => sighting.share));
  return (
    <section aria-label="Over scans" className="flex flex-col gap-1.5">
      <h3 className="text-sm font-semibold">Over scans</h3>
      <div className="rounded-md border border-line">
        <Table aria-label="Sightings">
          <TableHead>
            <tr>
              <TableHeader>Scan</TableHeader>
              <TableHeader>When</TableHeader>
              <TableHeader align="right">Failures</TableHeader>
              <TableHeader className="w-2/5">Share of the scan's failures</TableHeader>
            </tr>
          </TableHead>
          <TableBody>
            {history.map((sighting) => (
              <TableRow key={sighting.scan_id}>
                <TableCell>
                  <Link
                    to="/w/$workspaceId/scans/$scanId"
                    params={{ workspaceId, scanId: sighting.scan_id }}
                    className="text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent"
                  >
                    {shortId(sighting.scan_id)}
                  </Link>
                </TableCell>
                <TableCell className="whitespace-nowrap">
                  <Time at={sighting.at} />
                </TableCell>
                <TableCell align="right">{formatCount(sighting.size)}</TableCell>
                <TableCell>
                  <span className="flex items-center gap-2">
                    <span className="numeric w-14 text-right">{formatPercent(sighting.share)}</span>
                    <span aria-hidden className="h-2 flex-1">
                      <span className="block h-full rounded-sm bg-series-1/60" style={{ width: `${(sighting.share / largest) * 100}%` }} />
                    </span>
                  </span>
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </div>
    </section>
  );
}
