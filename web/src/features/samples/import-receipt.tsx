import type { Schemas } from "@/api/client";
import { formatCount, pluralise } from "@/components/format";
import { Stat } from "@/components/stat";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const SKIPPED: Record<keyof Schemas["SkippedCounts"], string> = {
  duplicate: "the same sample is there already",
  near_duplicate: "nearly the same sample is there already",
  contradiction: "the same input with another expected answer",
  bridge: "would tie items of different splits together",
};

const LEFT_OUT: Record<keyof Schemas["LeftOutCounts"], string> = {
  evaluation: "executed for an evaluation",
  not_found: "no such trace",
  no_input: "without input",
  no_expected: "without an expected answer",
  unusable: "cannot be stored as a sample",
};

function counted(counts: Record<string, number>, words: Record<string, string>): string[] {
  return Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`${formatCount(count)} ${words[name] ?? name}`] : []));
}

/** What became of what was brought: nothing is left out in silence. */
export function ImportReceipt({ receipt }: { receipt: Schemas["ImportOut"] }) {
  const { skipped, splits } = receipt;
  const skippedCount = Object.values(skipped).reduce((sum, count) => sum + count, 0);
  const leftOut = receipt.left_out ? counted(receipt.left_out, LEFT_OUT) : [];
  return (
    <div className="flex flex-col gap-3" role="status">
      <div className="grid grid-cols-2 gap-4 sm:grid-cols-5">
        <Stat label="Imported" value={formatCount(receipt.imported)} hint={`of ${pluralise(receipt.lines, "sample")}`} />
        <Stat label="Skipped" value={formatCount(skippedCount)} tone={skippedCount > 0 ? "warn" : "neutral"} />
        <Stat label="reflect" value={formatCount(splits.reflect)} hint="in the set now" />
        <Stat label="select" value={formatCount(splits.select)} hint="in the set now" />
        <Stat label="holdout" value={formatCount(splits.holdout)} hint="in the set now" />
      </div>
      {skippedCount > 0 && <p className="numeric text-sm text-muted">Skipped: {counted(skipped, SKIPPED).join("; ")}.</p>}
      {leftOut.length > 0 && <p className="numeric text-sm text-muted">Traces that made no sample: {leftOut.join("; ")}.</p>}
      {receipt.skipped_samples.length > 0 && (
        <div className="max-h-64 overflow-y-auto rounded-md border border-line">
          <Table aria-label="Skipped samples">
            <TableHead>
              <tr>
                <TableHeader>Sample</TableHeader>
                <TableHeader>Why</TableHeader>
                <TableHeader>Same as</TableHeader>
              </tr>
            </TableHead>
            <TableBody>
              {receipt.skipped_samples.map((one) => (
                <TableRow key={one.line}>
                  <TableCell className="numeric">{one.line}</TableCell>
                  <TableCell>{SKIPPED[one.reason]}</TableCell>
                  <TableCell className="font-mono text-xs text-muted">{one.same_as ?? "–"}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        </div>
      )}
    </div>
  );
}
