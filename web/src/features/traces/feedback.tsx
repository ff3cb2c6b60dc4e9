import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { formatNumber } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Textarea } from "@/components/ui/textarea";
import type { TreeSpan } from "@/features/traces/span-tree";

type Feedback = Schemas["FeedbackOut"];

interface Answer {
  data: { results: Feedback[] } | undefined;
  error: unknown;
  refetch: () => Promise<unknown>;
}

export interface FeedbackListProps {
  traceId: string;
  span: TreeSpan;
  feedback: Answer;
}

export function FeedbackList({ traceId, span, feedback }: FeedbackListProps) {
  const workspaceId = useWorkspaceId();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace");
  const [leaving, setLeaving] = useState<Feedback | null>(null);
  const path = { workspace_id: workspaceId, trace_id: traceId };
  const changed = () =>
    queries.invalidateQueries({ predicate: ({ queryKey }) => JSON.stringify(queryKey).includes(traceId) && !JSON.stringify(queryKey).includes("{span_id}") });
  const withdraw = useMutation({
    mutationFn: (one: Feedback) =>
      http.DELETE("/api/v1/workspaces/{workspace_id}/traces/{trace_id}/feedback/{feedback_id}", { params: { path: { ...path, feedback_id: one.id } } }),
    onSuccess: async () => {
      setLeaving(null);
      toast.success("Feedback withdrawn");
      await changed();
    },
  });
  if (feedback.error) return <ProblemNotice error={feedback.error} retry={() => void feedback.refetch()} />;
  if (!feedback.data) return <SkeletonRows rows={3} label="Loading the feedback" />;
  return (
    <div className="flex flex-col gap-4">
      {feedback.data.results.length === 0 && <p className="text-muted">Nobody has given feedback on this trace yet.</p>}
      <ul className="flex flex-col gap-2">
        {feedback.data.results.map((one) => (
          <li key={one.id} className="min-w-0 rounded-md border border-line px-3 py-2">
            <div className="flex flex-wrap items-center gap-2 text-xs">
              <span className="font-medium">{one.name}</span>
              {one.score !== null && <span className="numeric font-semibold">{formatNumber(one.score, { digits: 3 })}</span>}
              {one.label && <Badge>{one.label}</Badge>}
              <span className="text-muted">{one.span_id === null ? "on the trace" : one.span_id === span.span_id ? "on this span" : `on span ${one.span_id.slice(0, 8)}`}</span>
              <span className="ml-auto text-muted">
                <Time at={one.created_at} />
              </span>
              <Button
                size="icon"
                variant="ghost"
                className="size-6"
                aria-label={`Withdraw the feedback ${one.name}`}
                disabled={!mayWrite}
                title={mayWrite ? "Withdraw" : lacking("write:workspace")}
                onClick={() => setLeaving(one)}
              >
                <Trash2 aria-hidden />
              </Button>
            </div>
            {one.comment && <p className="mt-1 text-sm break-words whitespace-pre-wrap">{one.comment}</p>}
          </li>
        ))}
      </ul>
      {mayWrite ? (
        <FeedbackForm key={span.span_id} path={path} span={span} onGiven={changed} />
      ) : (
        <p className="text-xs text-muted">Giving feedback needs write:workspace.</p>
      )}
      <ConfirmDialog
        open={leaving !== null}
        onOpenChange={(open) => !open && setLeaving(null)}
        title="Withdraw this feedback?"
        confirmLabel="Withdraw"
        danger
        pending={withdraw.isPending}
        error={withdraw.error}
        onConfirm={() => leaving && withdraw.mutate(leaving)}
      >
        <p>It no longer counts in the scores of the trace. Samples that were made with it stay as they are.</p>
      </ConfirmDialog>
    </div>
  );
}

type FormProps = { path: { workspace_id: string; trace_id: string }; span: TreeSpan; onGiven: () => Promise<void> };

function FeedbackForm({ path, span, onGiven }: FormProps) {
  const [target, setTarget] = useState<"trace" | "span">("trace");
  const [name, setName] = useState("quality");
  const [score, setScore] = useState("");
  const [label, setLabel] = useState("");
  const [comment, setComment] = useState("");
  const [key, setKey] = useState(idempotencyKey);
  const number = score.trim() === "" ? null : Number(score.replace(",", "."));
  const wrong = number !== null && !Number.isFinite(number);
  const give = useMutation({
    mutationFn: () =>
      http.POST("/api/v1/workspaces/{workspace_id}/traces/{trace_id}/feedback", {
        params: { path, header: { "Idempotency-Key": key } },
        body: {
          name: name.trim(),
          score: number,
          label: label.trim() || null,
          comment: comment.trim() || null,
          span_id: target === "span" ? span.span_id : null,
        },
      }),
    onSuccess: async () => {
      setScore("");
      setLabel("");
      setComment("");
      toast.success("Feedback given");
      await onGiven();
    },
    onSettled: () => setKey(idempotencyKey()),
  });
  const says = number !== null || label.trim() !== "" || comment.trim() !== "";
  return (
    <form
      aria-label="Give feedback"
      className="flex flex-col gap-2 rounded-md border border-line p-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (says && !wrong) give.mutate();
      }}
    >
      <Segmented
        label="About"
        value={target}
        onValueChange={setTarget}
        options={[
          { value: "trace", label: "Whole trace" },
          { value: "span", label: "This span" },
        ]}
        className="self-start"
      />
      <div className="grid grid-cols-1 gap-2 sm:grid-cols-3">
        <Field label="Name" required>
          {(control) => <Input {...control} value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Score" error={wrong ? "Not a number" : undefined}>
          {(control) => <Input {...control} inputMode="decimal" placeholder="0 to 1" value={score} onChange={(event) => setScore(event.target.value)} />}
        </Field>
        <Field label="Label">
          {(control) => <Input {...control} placeholder="correct" value={label} maxLength={200} onChange={(event) => setLabel(event.target.value)} />}
        </Field>
      </div>
      <Field label="Comment" hint="Feedback named “expected” or “correction” is what a sample expects.">
        {(control) => <Textarea {...control} rows={2} value={comment} onChange={(event) => setComment(event.target.value)} />}
      </Field>
      {give.error && <ProblemNotice error={give.error} />}
      <Button type="submit" variant="primary" className="self-end" pending={give.isPending} disabled={!says || wrong || name.trim() === ""}>
        Give feedback
      </Button>
    </form>
  );
}
