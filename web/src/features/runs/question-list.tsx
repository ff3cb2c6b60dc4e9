import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { MessageCircleQuestion } from "lucide-react";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { Actor } from "@/components/actor";
import { EmptyState } from "@/components/empty-state";
import { JsonView } from "@/components/json-view";
import { KeyValue } from "@/components/key-value";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge, statusLabel } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { AnswerForm } from "@/features/runs/answer-form";
import { QUESTION_STATES } from "@/features/runs/search";

const LIST = "/api/v1/workspaces/{workspace_id}/interrupts";
const EVERY_MS = 5_000;
const route = getRouteApi("/w/$workspaceId/questions");

/** What runs wait for people to decide. */
export function QuestionListPage() {
  const { workspaceId } = route.useParams();
  const { status = "pending", open } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const questions = api.useQuery(
    "get",
    LIST,
    { params: { path: { workspace_id: workspaceId }, query: { status, limit: 100 } } },
    { refetchInterval: EVERY_MS },
  );
  const list = questions.data?.results ?? [];
  const show = (id: string | undefined) => void navigate({ search: (now) => ({ ...now, open: id }) });
  return (
    <Page
      title="Questions"
      description="Runs wait here for somebody's decision or data."
      actions={
        <Select
          label="State"
          className="w-36"
          value={status}
          onValueChange={(next) => void navigate({ search: { status: next === "pending" ? undefined : next } })}
          options={QUESTION_STATES.map((value) => ({ value, label: statusLabel(value) }))}
        />
      }
    >
      <Panel padded={list.length === 0}>
        {questions.error !== null ? (
          <ProblemNotice error={questions.error} retry={() => void questions.refetch()} />
        ) : questions.isPending ? (
          <SkeletonRows rows={4} />
        ) : list.length === 0 ? (
          <EmptyState icon={<MessageCircleQuestion aria-hidden />} title={status === "pending" ? "Nothing waits for an answer" : "None"} />
        ) : (
          <Table aria-label="Questions">
            <TableHead>
              <TableRow>
                <TableHeader>Question</TableHeader>
                <TableHeader>Run</TableHeader>
                <TableHeader>State</TableHeader>
                <TableHeader>Asked</TableHeader>
                <TableHeader>Ends</TableHeader>
              </TableRow>
            </TableHead>
            <TableBody>
              {list.map((one) => (
                <TableRow key={one.id} selected={one.id === open}>
                  <TableCell>
                    <button type="button" className="text-left font-medium text-accent underline-offset-2 hover:underline" onClick={() => show(one.id)}>
                      {one.title}
                    </button>
                  </TableCell>
                  <TableCell className="text-muted">{one.workflow ?? one.run_name}</TableCell>
                  <TableCell>
                    <StatusBadge status={one.status} />
                  </TableCell>
                  <TableCell>
                    <Time at={one.created_at} />
                  </TableCell>
                  <TableCell>{one.expires_at === null ? "Never" : <Time at={one.expires_at} />}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Panel>
      {open !== undefined && (
        <Question
          id={open}
          onClose={() => show(undefined)}
          onAnswered={async () => {
            toast.success("Answered");
            show(undefined);
            await queries.invalidateQueries({ queryKey: ["get", LIST] });
          }}
        />
      )}
    </Page>
  );
}

type QuestionProps = { id: string; onClose: () => void; onAnswered: () => void };

function Question({ id, onClose, onAnswered }: QuestionProps) {
  const { workspaceId } = route.useParams();
  const question = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/interrupts/{interrupt_id}", {
    params: { path: { workspace_id: workspaceId, interrupt_id: id } },
  });
  return (
    <Sheet open onOpenChange={(shown) => !shown && onClose()} title={question.data?.title ?? "Question"}>
      {question.error !== null ? (
        <ProblemNotice error={question.error} />
      ) : question.isPending ? (
        <SkeletonRows rows={5} />
      ) : (
        <div className="flex flex-col gap-4">
          {question.data.description !== null && <p className="whitespace-pre-wrap">{question.data.description}</p>}
          <About interrupt={question.data} workspaceId={workspaceId} />
          {question.data.payload !== null && <JsonView value={question.data.payload} />}
          {question.data.status === "pending" && <AnswerForm interrupt={question.data} onAnswered={onAnswered} />}
        </div>
      )}
    </Sheet>
  );
}

function About({ interrupt, workspaceId }: { interrupt: Schemas["InterruptOut"]; workspaceId: string }) {
  return (
    <KeyValue
      items={[
        {
          label: "Run",
          value: (
            <Link
              to="/w/$workspaceId/runs/$runId"
              params={{ workspaceId, runId: interrupt.run_id }}
              className="text-accent underline underline-offset-2"
            >
              {interrupt.workflow ?? interrupt.run_name}
            </Link>
          ),
        },
        { label: "Step", value: interrupt.step },
        { label: "State", value: <StatusBadge status={interrupt.status} /> },
        { label: "Asked", value: <Time at={interrupt.created_at} /> },
        { label: "If nobody answers", value: interrupt.expires_at === null ? "it waits" : <>{interrupt.on_timeout}, at <Time at={interrupt.expires_at} relative={false} /></> },
        ...(interrupt.answered_by === null
          ? []
          : [
              { label: "Answered by", value: <Actor by={interrupt.answered_by} /> },
              { label: "Comment", value: interrupt.comment ?? "–" },
            ]),
      ]}
    />
  );
}
