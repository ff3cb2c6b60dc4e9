import { lazy, Suspense } from "react";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { useValidation } from "@/features/workflows/use-validation";

const CodeEditor = lazy(() => import("@/components/editor/code-editor").then((part) => ({ default: part.CodeEditor })));
const WorkflowGraph = lazy(() => import("@/components/graph/workflow-graph").then((part) => ({ default: part.WorkflowGraph })));

type Props = {
  source: string;
  onSource?: (source: string) => void;
  onSave?: () => void;
  selected?: string | null;
  onSelect?: (id: string) => void;
};

/** A workflow's text beside its graph. Typing checks it and draws it anew; each mistake stands on its line. */
export function WorkflowEditor({ source, onSource, onSave, selected, onSelect }: Props) {
  const { validation, isStale, error } = useValidation(source);
  const errors = validation?.errors ?? [];
  const warnings = validation?.warnings ?? [];
  return (
    <div className="grid min-h-0 flex-1 grid-rows-[minmax(20rem,1fr)_minmax(20rem,1fr)] lg:grid-cols-2 lg:grid-rows-1">
      <div className="flex min-h-0 min-w-0 flex-col border-b lg:border-r lg:border-b-0">
        <Suspense fallback={<Skeleton className="m-4 h-64" />}>
          <CodeEditor
            value={source}
            onChange={onSource}
            onSave={onSave}
            readOnly={onSource === undefined}
            language="yaml"
            label="The workflow's document"
            className="min-h-0 flex-1 overflow-auto"
            diagnostics={[
              ...errors.map(({ line, column, detail }) => ({ line, column, message: detail, severity: "error" as const })),
              ...warnings.map(({ line, column, detail }) => ({ line, column, message: detail, severity: "warning" as const })),
            ]}
          />
        </Suspense>
        <div role="status" className="max-h-48 shrink-0 overflow-y-auto border-t bg-surface px-3 py-2">
          {error !== null ? (
            <ProblemNotice error={error} />
          ) : validation === undefined ? (
            <span className="text-muted">Checking…</span>
          ) : errors.length + warnings.length === 0 ? (
            <span className="flex items-center gap-2">
              <Badge tone="good">Valid</Badge>
              {isStale && <span className="text-muted">checking…</span>}
            </span>
          ) : (
            <ul className="flex flex-col gap-1">
              {errors.map((one) => (
                <li key={`e ${one.line} ${one.column} ${one.code}`} className="flex gap-2">
                  <Badge tone="bad">Line {one.line}</Badge>
                  <span>{one.detail}</span>
                </li>
              ))}
              {warnings.map((one) => (
                <li key={`w ${one.line} ${one.column} ${one.code}`} className="flex gap-2">
                  <Badge tone="warn">Line {one.line}</Badge>
                  <span>{one.detail}</span>
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
      <div className="relative min-h-0 min-w-0">
        {validation?.drawn === undefined ? (
          <p className="p-4 text-muted">The graph appears with the first document that has no mistake.</p>
        ) : (
          <Suspense fallback={<Skeleton className="m-4 h-64" />}>
            <WorkflowGraph
              label="The workflow's graph"
              nodes={validation.drawn.nodes}
              edges={validation.drawn.edges}
              selected={selected}
              onSelect={onSelect}
            />
          </Suspense>
        )}
        {validation?.drawn !== undefined && errors.length > 0 && (
          <p className="absolute top-2 left-2 rounded-md border bg-surface px-2 py-1 text-xs text-muted">
            As it was before the mistake
          </p>
        )}
      </div>
    </div>
  );
}
