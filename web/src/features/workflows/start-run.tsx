import { useMutation } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { useWorkspaceId } from "@/api/access";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { FormDialog } from "@/components/ui/form-dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { exampleOf, parsedInputs } from "@/features/workflows/inputs";

const CodeEditor = lazy(() => import("@/components/editor/code-editor").then((part) => ({ default: part.CodeEditor })));

type Props = { name: string; version: number; onClose: () => void; onStarted: (run: Schemas["RunOut"]) => void };

/** Starts a run of one version, with inputs to begin with from the version's schema. */
export function StartRun({ name, version, onClose, onStarted }: Props) {
  const workspace_id = useWorkspaceId();
  const path = { workspace_id, name };
  const schema = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/workflows/{name}/schema", {
    params: { path, query: { version } },
  });
  const [intent, setIntent] = useState(idempotencyKey);
  const [text, setText] = useState<string | null>(null);
  const [malformed, setMalformed] = useState<string | null>(null);
  useEffect(() => {
    if (schema.data !== undefined) setText((now) => now ?? exampleOf(schema.data.inputs));
  }, [schema.data]);
  const start = useMutation({
    mutationFn: async (inputs: Record<string, unknown>) =>
      (
        await http.POST("/api/v1/workspaces/{workspace_id}/workflows/{name}/runs", {
          params: { path },
          headers: { "Idempotency-Key": intent },
          body: { inputs, version },
        })
      ).data!,
    onSuccess: onStarted,
  });

  function submit() {
    const parsed = parsedInputs(text ?? "");
    setMalformed(parsed.problem);
    if (parsed.inputs !== null) start.mutate(parsed.inputs);
  }

  return (
    <FormDialog
      title={`Run ${name}`}
      description={`Version ${version}`}
      className="gap-3"
      submitLabel="Start"
      disabled={text === null}
      pending={start.isPending}
      error={start.error}
      onClose={onClose}
      onSubmit={submit}
    >
      {schema.error !== null && <ProblemNotice error={schema.error} />}
      <p className="text-xs font-medium">Inputs</p>
      {text === null ? (
        <Skeleton className="h-32" />
      ) : (
        <Suspense fallback={<Skeleton className="h-32" />}>
          <CodeEditor
            label="Inputs, as JSON"
            language="json"
            minHeight={140}
            value={text}
            onChange={(next) => {
              setText(next);
              setMalformed(null);
              // Other inputs are another intent.
              setIntent(idempotencyKey());
            }}
          />
        </Suspense>
      )}
      {malformed !== null && (
        <p role="alert" className="text-bad">
          {malformed}
        </p>
      )}
    </FormDialog>
  );
}
