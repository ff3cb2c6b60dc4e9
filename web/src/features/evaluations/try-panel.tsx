import { useMutation } from "@tanstack/react-query";
import { FlaskConical } from "lucide-react";
import { type FormEvent, useState } from "react";
import { lacking, useMay } from "@/api/access";
import { http, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { Textarea } from "@/components/ui/textarea";
import { problemsOf, type RubricDraft, specOf } from "./rubric-draft";
import { ScoreList } from "./score-list";

type Source = "answer" | "traces";

const EMPTY_CASE = { input: "", expected: "", output: "", latencyMs: "" };

/** Scores an answer, or the newest traces, with the rubric as it stands in the editor. */
export function TryPanel({ workspaceId, draft }: { workspaceId: string; draft: RubricDraft }) {
  const mayWrite = useMay("write:workspace");
  const [source, setSource] = useState<Source>("answer");
  const [typed, setTyped] = useState(EMPTY_CASE);
  const [traceId, setTraceId] = useState("");
  const [limit, setLimit] = useState("20");
  const problems = problemsOf(draft);

  const fill = useMutation({
    mutationFn: async () => {
      const path = { workspace_id: workspaceId, trace_id: traceId.trim() };
      const trace = await http.GET("/api/v1/workspaces/{workspace_id}/traces/{trace_id}", { params: { path } });
      const root = await http.GET("/api/v1/workspaces/{workspace_id}/traces/{trace_id}/spans/{span_id}", {
        params: { path: { ...path, span_id: trace.data!.root_span_id } },
      });
      return root.data!;
    },
    onSuccess: ({ body, duration_ms }) => setTyped({ ...typed, input: textOf(body?.input), output: textOf(body?.output), latencyMs: String(duration_ms) }),
  });
  const score = useMutation({
    mutationFn: async () => {
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/evaluations/rubrics/preview", {
        params: { path: { workspace_id: workspaceId } },
        body: {
          rubric: specOf(draft),
          ...(source === "answer" ? { cases: [caseOf(typed)] } : { traces: { limit: Number(limit) } }),
        },
      });
      return data!;
    },
  });
  const refused = !mayWrite ? lacking("write:workspace") : problems[0];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (refused === undefined && !score.isPending) score.mutate();
  };
  const set = (part: Partial<typeof typed>) => setTyped({ ...typed, ...part });
  return (
    <Panel
      title="Try it"
      description="With the rubric as it stands here, saved or not"
      actions={
        <Segmented
          label="What is scored"
          value={source}
          onValueChange={(next) => {
            setSource(next);
            score.reset();
          }}
          options={[
            { value: "answer", label: "An answer" },
            { value: "traces", label: "Newest traces" },
          ]}
        />
      }
    >
      <form onSubmit={submit} className="flex flex-col gap-3">
        {source === "answer" ? (
          <>
            <div className="flex items-end gap-2">
              <Field label="From a trace" className="flex-1">
                {(control) => (
                  <Input {...control} spellCheck={false} placeholder="Trace id" className="font-mono text-xs" value={traceId} onChange={(event) => setTraceId(event.target.value)} />
                )}
              </Field>
              <Button disabled={traceId.trim() === ""} pending={fill.isPending} onClick={() => fill.mutate()}>
                Fill in
              </Button>
            </div>
            {fill.error !== null && <ProblemNotice error={fill.error} />}
            <Field label="Input">{(control) => <Textarea {...control} rows={2} value={typed.input} onChange={(event) => set({ input: event.target.value })} />}</Field>
            <Field label="Expected" hint="Empty: nothing is expected. JSON where an object or a list is">
              {(control) => <Textarea {...control} rows={1} value={typed.expected} onChange={(event) => set({ expected: event.target.value })} />}
            </Field>
            <Field label="Answer" required>
              {(control) => <Textarea {...control} rows={3} value={typed.output} onChange={(event) => set({ output: event.target.value })} />}
            </Field>
          </>
        ) : (
          <Field label="How many" hint="The newest live traces that can be scored, up to 100" className="w-40">
            {(control) => <Input {...control} type="number" min={1} max={100} value={limit} onChange={(event) => setLimit(event.target.value)} />}
          </Field>
        )}
        <div>
          <Button type="submit" pending={score.isPending} disabled={refused !== undefined} title={refused}>
            <FlaskConical aria-hidden />
            Score
          </Button>
        </div>
        {score.error !== null && <ProblemNotice error={score.error} />}
        {score.data && <ScoreList workspaceId={workspaceId} scores={score.data} />}
      </form>
    </Panel>
  );
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function caseOf({ input, expected, output, latencyMs }: typeof EMPTY_CASE): Schemas["ExampleIn"] {
  return {
    input: input === "" ? null : input,
    expected: expected === "" ? null : expectedOf(expected),
    output,
    latency_ms: Number(latencyMs) || 0,
  };
}

/** Only what is an object or a list is meant as JSON: "42" is a text that is compared as such. */
function expectedOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
