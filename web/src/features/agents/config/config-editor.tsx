import { lazy, Suspense, useMemo } from "react";
import type { FieldProblem } from "@/api/problems";
import { Skeleton } from "@/components/ui/skeleton";
import { diagnose } from "./diagnostics";
import { type ReadDocument, readYaml } from "./yaml-read";

const CodeEditor = lazy(() => import("@/components/editor/code-editor").then((module) => ({ default: module.CodeEditor })));

export interface ConfigEditorProps {
  text: string;
  onTextChange: (text: string) => void;
  /** What the server found wrong in exactly this text. */
  refused?: readonly FieldProblem[];
  /** Where the text stands in what was sent. */
  prefix?: string;
  label: string;
  minHeight?: number;
  onSave?: () => void;
  className?: string;
}

const NOTHING: readonly FieldProblem[] = [];

/** A config as YAML (or JSON, which is YAML too), with every problem on its line and in a list below. */
export function ConfigEditor({ text, onTextChange, refused = NOTHING, prefix = "/config", label, minHeight = 240, onSave, className }: ConfigEditorProps) {
  const document = useReadYaml(text);
  const diagnostics = useMemo(() => diagnose(text, document, refused, prefix), [text, document, refused, prefix]);
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <Suspense fallback={<Skeleton className="h-60" />}>
        <CodeEditor
          language="yaml"
          value={text}
          onChange={onTextChange}
          diagnostics={diagnostics}
          label={label}
          minHeight={minHeight}
          onSave={onSave}
          aria-invalid={diagnostics.length > 0}
          className={className}
        />
      </Suspense>
      {diagnostics.length > 0 && (
        <ul aria-label="Problems" className="flex flex-col gap-1 rounded-md bg-bad-soft p-2.5 text-xs text-bad">
          {diagnostics.map(({ line, column, message }) => (
            <li key={`${line}:${column} ${message}`} className="flex gap-2">
              <span className="numeric shrink-0 font-mono">line {line}</span>
              <span className="min-w-0 break-words">{message}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function useReadYaml(text: string): ReadDocument {
  return useMemo(() => readYaml(text), [text]);
}
