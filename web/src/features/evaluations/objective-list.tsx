import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Plus, Target } from "lucide-react";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { http, idempotencyKey } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatPercent, formatPoints } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { EMPTY_OBJECTIVE, guardText, objectiveBody, objectiveProblems } from "./objective-draft";
import { ObjectiveEditor } from "./objective-editor";
import { objectiveListQuery, refreshEvaluations, rubricListQuery } from "./queries";

const route = getRouteApi("/w/$workspaceId/objectives");

export function ObjectiveListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const objectives = useQuery(objectiveListQuery(workspaceId));
  const rubrics = useQuery(rubricListQuery(workspaceId));
  const show = (open: boolean) => void navigate({ search: { open: open ? "new" : undefined }, replace: true });
  const create = (
    <Button variant="primary" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} onClick={() => show(true)}>
      <Plus aria-hidden />
      New objective
    </Button>
  );
  return (
    <Page title="Objectives" description="One number of an item: weighted terms of quality, cost, latency and feedback, and what a gain must not cost." actions={create}>
      {objectives.error ? (
        <ProblemNotice error={objectives.error} retry={() => void objectives.refetch()} />
      ) : (
        <Panel padded={false}>
          {!objectives.data ? (
            <SkeletonRows rows={3} label="Loading objectives" />
          ) : objectives.data.results.length === 0 ? (
            <EmptyState icon={<Target />} title="No objective yet" actions={create}>
              Without one, the rubric's total alone decides. An objective adds cost and latency to it, and guards.
            </EmptyState>
          ) : (
            <Table aria-label="Objectives">
              <TableHead>
                <tr>
                  <TableHeader>Name</TableHeader>
                  <TableHeader>Terms</TableHeader>
                  <TableHeader>Guards</TableHeader>
                  <TableHeader align="right">Minimum effect</TableHeader>
                  <TableHeader>Rubric</TableHeader>
                  <TableHeader>Changed</TableHeader>
                </tr>
              </TableHead>
              <TableBody>
                {objectives.data.results.map((objective) => {
                  const sum = objective.terms.reduce((total, { weight = 1 }) => total + weight, 0);
                  const rubric = rubrics.data?.results.find(({ id }) => id === objective.rubric_id);
                  return (
                    <TableRow key={objective.id}>
                      <TableCell>
                        <Link to="/w/$workspaceId/objectives/$objectiveId" params={{ workspaceId, objectiveId: objective.id }} className="font-medium hover:underline">
                          {objective.name}
                        </Link>
                        {objective.description && <div className="max-w-80 truncate text-xs text-muted">{objective.description}</div>}
                      </TableCell>
                      <TableCell>
                        <span className="numeric flex flex-wrap gap-1">
                          {objective.terms.map(({ source, weight = 1 }) => (
                            <Badge key={source}>
                              {source} {formatPercent(weight / sum, { digits: 0 })}
                            </Badge>
                          ))}
                        </span>
                      </TableCell>
                      <TableCell>
                        <span className="numeric flex flex-wrap gap-1">
                          {objective.guards.length === 0 && <span className="text-muted">None</span>}
                          {objective.guards.map((guard, index) => (
                            <Badge key={index}>{guardText(guard)}</Badge>
                          ))}
                        </span>
                      </TableCell>
                      <TableCell align="right">{formatPoints(objective.minimum_effect)}</TableCell>
                      <TableCell>
                        {objective.rubric_id ? (
                          <Link to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: objective.rubric_id }} className="hover:underline">
                            {rubric?.name ?? objective.rubric_id}
                          </Link>
                        ) : (
                          <span className="text-muted">Any</span>
                        )}
                      </TableCell>
                      <TableCell className="whitespace-nowrap text-muted">
                        <Time at={objective.updated_at} />
                      </TableCell>
                    </TableRow>
                  );
                })}
              </TableBody>
            </Table>
          )}
        </Panel>
      )}
      <Dialog open={search.open === "new" && mayWrite} onOpenChange={show} title="New objective" size="lg">
        {search.open === "new" && <CreateForm workspaceId={workspaceId} onClose={() => show(false)} />}
      </Dialog>
    </Page>
  );
}

function CreateForm({ workspaceId, onClose }: { workspaceId: string; onClose: () => void }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [key] = useState(idempotencyKey);
  const [draft, setDraft] = useState(EMPTY_OBJECTIVE);
  const [tried, setTried] = useState(false);
  const problems = objectiveProblems(draft);
  const create = useMutation({
    mutationFn: async () => {
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/evaluations/objectives", {
        params: { path: { workspace_id: workspaceId } },
        headers: { "Idempotency-Key": key },
        body: objectiveBody(draft),
      });
      return data!;
    },
    onSuccess: async ({ id }) => {
      toast("Objective created");
      void refreshEvaluations(queries);
      await navigate({ to: "/w/$workspaceId/objectives/$objectiveId", params: { workspaceId, objectiveId: id } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (problems.length === 0 && !create.isPending) create.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <ObjectiveEditor workspaceId={workspaceId} draft={draft} onChange={setDraft} disabled={false} />
      {tried && problems.length > 0 && (
        <ul role="alert" className="text-sm text-bad">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {create.error !== null && <ProblemNotice error={create.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" pending={create.isPending}>
          Create
        </Button>
      </div>
    </form>
  );
}
