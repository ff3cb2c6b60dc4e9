import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Plus, Snowflake, Table2 } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount, shortId } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { CreateSetDialog } from "./create-set-dialog";
import { spentOf } from "./holdout-ledger";
import { setListQuery } from "./queries";
import { SPLITS } from "./search";
import { SplitBar, SplitName } from "./split-bar";

const route = getRouteApi("/w/$workspaceId/samples");

export function SampleSetListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const sets = useQuery(setListQuery(workspaceId, 0));
  const create = (open: boolean) => void navigate({ search: { new: open ? true : undefined }, replace: !open });
  const button = (
    <Button
      variant="primary"
      disabled={!mayWrite}
      title={mayWrite ? undefined : lacking("write:workspace")}
      onClick={() => create(true)}
    >
      <Plus aria-hidden />
      New sample set
    </Button>
  );
  return (
    <Page
      title="Samples"
      description="What agents are measured on: inputs, and what is expected. A frozen holdout is what verdicts rest on."
      actions={button}
    >
      {sets.error ? (
        <ProblemNotice error={sets.error} retry={() => void sets.refetch()} />
      ) : (
        <Panel padded={false}>
          {!sets.data ? (
            <SkeletonRows rows={4} rowHeight={44} label="Loading sample sets" />
          ) : sets.data.results.length === 0 ? (
            <EmptyState icon={<Table2 />} title="No sample set yet" actions={button}>
              Make one, then fill it from a file (JSON Lines, CSV) or from the traces of an agent. At least 30 items in a
              split are needed to compare anything on them.
            </EmptyState>
          ) : (
            <SetTable workspaceId={workspaceId} sets={sets.data.results} />
          )}
        </Panel>
      )}
      <CreateSetDialog open={search.new === true && mayWrite} onOpenChange={create} />
    </Page>
  );
}

function SetTable({ workspaceId, sets }: { workspaceId: string; sets: readonly Schemas["SampleSetOut"][] }) {
  return (
    <Table aria-label="Sample sets">
      <TableHead>
        <tr>
          <TableHeader>Name</TableHeader>
          <TableHeader align="right">Items</TableHeader>
          {SPLITS.map((split) => (
            <TableHeader key={split} align="right">
              <SplitName split={split} />
            </TableHeader>
          ))}
          <TableHeader className="w-32">
            <span className="sr-only">Division</span>
          </TableHeader>
          <TableHeader>Holdout</TableHeader>
          <TableHeader align="right">Version</TableHeader>
          <TableHeader>Changed</TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {sets.map((set) => (
          <TableRow key={set.id}>
            <TableCell>
              <Link
                to="/w/$workspaceId/samples/$setId"
                params={{ workspaceId, setId: set.id }}
                className="font-medium hover:underline"
              >
                {set.name}
              </Link>
              {set.description && <div className="max-w-80 truncate text-xs text-muted">{set.description}</div>}
            </TableCell>
            <TableCell align="right">{formatCount(set.items)}</TableCell>
            {SPLITS.map((split) => (
              <TableCell key={split} align="right">
                {formatCount(set.splits[split])}
              </TableCell>
            ))}
            <TableCell>{set.items > 0 && <SplitBar splits={set.splits} />}</TableCell>
            <TableCell>
              <HoldoutState holdout={set.holdout} />
            </TableCell>
            <TableCell align="right">{set.version}</TableCell>
            <TableCell className="whitespace-nowrap text-muted">
              <Time at={set.updated_at} />
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}

function HoldoutState({ holdout }: { holdout: Schemas["HoldoutOut"] | null }) {
  if (!holdout) return <span className="text-muted">Not frozen</span>;
  const { looks, planned } = spentOf(holdout.looks);
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap" title={`Holdout ${holdout.id}`}>
      <Badge tone={holdout.retired_at ? "neutral" : "info"}>
        <Snowflake aria-hidden className="mr-1 inline size-3" />
        {holdout.retired_at ? "Retired" : "Frozen"}
      </Badge>
      <span className="numeric text-xs text-muted">
        {looks} of {planned} looks · {shortId(holdout.id, 6)}
      </span>
    </span>
  );
}
