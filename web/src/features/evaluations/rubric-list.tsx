import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Plus, Ruler, Sparkles } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatPercent } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { CreateRubricDialog } from "./create-rubric-dialog";
import { onlineListQuery, rubricListQuery } from "./queries";
import { scorerLabel } from "./scorers";
import type { RubricListSearch } from "./search";

const route = getRouteApi("/w/$workspaceId/rubrics");

export function RubricListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const rubrics = useQuery(rubricListQuery(workspaceId));
  const online = useQuery(onlineListQuery(workspaceId));
  const show = (open: RubricListSearch["open"]) => void navigate({ search: { open }, replace: true });
  const why = mayWrite ? undefined : lacking("write:workspace");
  const actions = (
    <>
      <Button disabled={!mayWrite} title={why} onClick={() => show("generate")}>
        <Sparkles aria-hidden />
        Draft from an agent
      </Button>
      <Button variant="primary" disabled={!mayWrite} title={why} onClick={() => show("new")}>
        <Plus aria-hidden />
        New rubric
      </Button>
    </>
  );
  return (
    <Page title="Rubrics" description="What a good answer is: weighted dimensions, each scored from 0 to 1 with one sentence why." actions={actions}>
      {rubrics.error ? (
        <ProblemNotice error={rubrics.error} retry={() => void rubrics.refetch()} />
      ) : (
        <Panel padded={false}>
          {!rubrics.data ? (
            <SkeletonRows rows={4} label="Loading rubrics" />
          ) : rubrics.data.results.length === 0 ? (
            <EmptyState icon={<Ruler />} title="No rubric yet" actions={actions}>
              Begin with an exact match or a label where answers are short; add a judge for what only a reader can tell.
            </EmptyState>
          ) : (
            <Table aria-label="Rubrics">
              <TableHead>
                <tr>
                  <TableHeader>Name</TableHeader>
                  <TableHeader>Dimensions</TableHeader>
                  <TableHeader align="right">Threshold</TableHeader>
                  <TableHeader align="right">Version</TableHeader>
                  <TableHeader>On new traces</TableHeader>
                  <TableHeader>Changed</TableHeader>
                </tr>
              </TableHead>
              <TableBody>
                {rubrics.data.results.map((rubric) => {
                  const runs = online.data?.results.filter((one) => one.rubric_id === rubric.id && one.enabled) ?? [];
                  const sum = rubric.dimensions.reduce((total, { weight }) => total + weight, 0);
                  return (
                    <TableRow key={rubric.id}>
                      <TableCell>
                        <Link to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: rubric.id }} className="font-medium hover:underline">
                          {rubric.name}
                        </Link>
                        {rubric.description && <div className="max-w-80 truncate text-xs text-muted">{rubric.description}</div>}
                      </TableCell>
                      <TableCell>
                        <span className="flex flex-wrap gap-1">
                          {rubric.dimensions.map(({ name, scorer, weight }) => (
                            <Badge key={name} title={`${scorerLabel(scorer)}, ${formatPercent(weight / sum)} of the total`}>
                              {name} · {scorerLabel(scorer)}
                            </Badge>
                          ))}
                        </span>
                      </TableCell>
                      <TableCell align="right">{formatPercent(rubric.threshold)}</TableCell>
                      <TableCell align="right">{rubric.version}</TableCell>
                      <TableCell>
                        {!online.data ? "" : runs.length === 0 ? (
                          <span className="text-muted">No</span>
                        ) : (
                          <Link to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: rubric.id }} search={{ tab: "online" }} className="numeric underline">
                            {formatCount(runs.reduce((total, { figures }) => total + figures.evaluated, 0))} evaluated
                          </Link>
                        )}
                      </TableCell>
                      <TableCell className="whitespace-nowrap text-muted">
                        <Time at={rubric.updated_at} />
                      </TableCell>
                    </TableRow>
                  );
                })}
              </TableBody>
            </Table>
          )}
        </Panel>
      )}
      <CreateRubricDialog workspaceId={workspaceId} kind={mayWrite ? search.open : undefined} onClose={() => show(undefined)} />
    </Page>
  );
}
