import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { http, idempotencyKey, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/textarea";
import { isDecision, startingAnswer } from "@/features/runs/answering";

type Props = { interrupt: Schemas["InterruptOut"]; onAnswered: (answer: Schemas["AnsweredOut"]) => void };

/** Answers a question of a run: a decision with two buttons, or data that fits the question's schema. */
export function AnswerForm({ interrupt, onAnswered }: Props) {
  const workspace_id = useWorkspaceId();
  const mayAnswer = useMay("approve:agents");
  const [intent] = useState(idempotencyKey);
  const decision = isDecision(interrupt);
  const [comment, setComment] = useState("");
  const [text, setText] = useState(() => startingAnswer(interrupt.answer_schema));
  const [malformed, setMalformed] = useState<string | null>(null);
  const answer = useMutation({
    mutationFn: async (body: Schemas["AnswerIn"]) =>
      (
        await http.POST("/api/v1/workspaces/{workspace_id}/interrupts/{interrupt_id}/answer", {
          params: { path: { workspace_id, interrupt_id: interrupt.id } },
          headers: { "Idempotency-Key": intent },
          body,
        })
      ).data!,
    onSuccess: onAnswered,
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    if (decision) return answer.mutate({ approved: true, comment: comment || null });
    try {
      const data: unknown = JSON.parse(text);
      setMalformed(null);
      answer.mutate({ status: "answered", data, comment: comment || null });
    } catch (error) {
      setMalformed(error instanceof Error ? error.message : "This is not JSON");
    }
  }

  const title = mayAnswer ? undefined : lacking("approve:agents");
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      {!decision && (
        <>
          {interrupt.answer_schema !== null && (
            <details>
              <summary className="text-muted">What the answer has to look like</summary>
              <CodeBlock language="json" code={JSON.stringify(interrupt.answer_schema, null, 2)} maxHeight={240} />
            </details>
          )}
          <Field label="Answer" hint="JSON" error={malformed ?? undefined}>
            {(control) => (
              <Textarea {...control} rows={6} className="font-mono" spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
            )}
          </Field>
        </>
      )}
      <Field label="Comment">
        {(control) => <Textarea {...control} rows={2} value={comment} onChange={(event) => setComment(event.target.value)} />}
      </Field>
      {answer.error !== null && <ProblemNotice error={answer.error} />}
      <div className="flex gap-2">
        <Button type="submit" variant="primary" pending={answer.isPending} disabled={!mayAnswer} title={title}>
          {decision ? "Approve" : "Answer"}
        </Button>
        {decision && (
          <Button
            variant="danger-ghost"
            disabled={!mayAnswer || answer.isPending}
            title={title}
            onClick={() => answer.mutate({ approved: false, comment: comment || null })}
          >
            Reject
          </Button>
        )}
      </div>
    </form>
  );
}
