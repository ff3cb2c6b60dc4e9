import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { useIsPhone } from "@/components/use-media";
import { rubricQuery, type RubricPath, versionsQuery } from "./queries";
import { textOf } from "./rubric-draft";
import type { RubricDetailSearch } from "./search";

const DiffView = lazy(() => import("@/components/editor/diff-view").then(({ DiffView: view }) => ({ default: view })));

interface VersionsTabProps {
  path: RubricPath;
  rubric: Schemas["RubricOut"];
  search: RubricDetailSearch;
  onChange: (part: Partial<RubricDetailSearch>) => void;
}

export function VersionsTab({ path, rubric, search, onChange }: VersionsTabProps) {
  const versions = useQuery(versionsQuery(path));
  const to = search.to ?? rubric.latest_version;
  const from = search.from ?? Math.max(1, to - 1);
  if (versions.error) return <ProblemNotice error={versions.error} retry={() => void versions.refetch()} />;
  if (!versions.data) return <SkeletonRows rows={4} label="Loading versions" />;
  const options = versions.data.results.map(({ version }) => ({ value: String(version), label: `Version ${version}` }));
  const pick = (label: string, value: number, key: "from" | "to") => (
    <Select label={label} size="sm" className="w-32" value={String(value)} onValueChange={(next) => onChange({ [key]: Number(next) })} options={options} />
  );
  return (
    <>
      <Panel title="Versions" padded={false}>
        <Table aria-label="Versions of the rubric">
          <TableHead>
            <tr>
              <TableHeader>Version</TableHeader>
              <TableHeader>Made</TableHeader>
              <TableHeader>By</TableHeader>
              <TableHeader>Digest</TableHeader>
              <TableHeader>
                <span className="sr-only">Difference</span>
              </TableHeader>
            </tr>
          </TableHead>
          <TableBody>
            {versions.data.results.map((one) => (
              <TableRow key={one.version} selected={one.version === to}>
                <TableCell className="numeric font-medium">v{one.version}</TableCell>
                <TableCell className="whitespace-nowrap text-muted">
                  <Time at={one.created_at} />
                </TableCell>
                <TableCell className="font-mono text-xs text-muted">{one.created_by}</TableCell>
                <TableCell className="font-mono text-xs text-muted" title={one.digest}>
                  {one.digest.slice(0, 12)}
                </TableCell>
                <TableCell align="right">
                  {one.version > 1 && (
                    <Button size="sm" onClick={() => onChange({ from: one.version - 1, to: one.version })}>
                      What changed
                    </Button>
                  )}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </Panel>
      {rubric.latest_version > 1 ? (
        <Panel
          title="Difference"
          actions={
            <>
              {pick("From version", from, "from")}
              <span className="text-xs text-muted">to</span>
              {pick("To version", to, "to")}
            </>
          }
        >
          <Difference path={path} from={from} to={to} />
        </Panel>
      ) : (
        <Panel>
          <EmptyState title="One version so far">Saving other dimensions, weights or settings makes the next; here they are compared.</EmptyState>
        </Panel>
      )}
    </>
  );
}

function Difference({ path, from, to }: { path: RubricPath; from: number; to: number }) {
  const narrow = useIsPhone();
  const before = useQuery(rubricQuery(path, from));
  const after = useQuery(rubricQuery(path, to));
  const error = before.error ?? after.error;
  if (error) return <ProblemNotice error={error} />;
  if (!before.data || !after.data) return <SkeletonRows rows={6} label="Loading both versions" />;
  if (before.data.digest === after.data.digest) return <p className="text-sm text-muted">Both say the same.</p>;
  return (
    <Suspense fallback={<SkeletonRows rows={6} label="Loading the difference" />}>
      <DiffView before={textOf(before.data)} after={textOf(after.data)} language="json" layout={narrow ? "unified" : "split"} label={`Version ${from} beside version ${to}`} />
    </Suspense>
  );
}
