import { lazy, Suspense } from "react";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Segmented } from "@/components/ui/segmented";
import { Skeleton } from "@/components/ui/skeleton";
import { Textarea } from "@/components/ui/textarea";
import type { PlaygroundInput } from "./use-playground-input";

const CodeEditor = lazy(() => import("@/components/editor/code-editor").then((module) => ({ default: module.CodeEditor })));

export function InputForm({ form, problem }: { form: PlaygroundInput; problem: string | undefined }) {
  return (
    <div className="flex flex-col gap-3">
      {form.canFill && (
        <Segmented
          label="Input as"
          className="self-start"
          value={form.asJson ? "json" : "fields"}
          onValueChange={(next) => form.showAsJson(next === "json")}
          options={[
            { value: "fields", label: "Variables" },
            { value: "json", label: "JSON" },
          ]}
        />
      )}
      {form.asJson ? (
        <div className="flex flex-col gap-1">
          <Suspense fallback={<Skeleton className="h-40" />}>
            <CodeEditor language="json" value={form.json} onChange={form.setJson} label="Input as JSON" minHeight={160} className="max-h-96" />
          </Suspense>
          {form.json !== "" && problem && <p className="text-xs text-bad">{problem}</p>}
        </div>
      ) : (
        form.variables.map((name) => (
          <Field key={name} label={<span className="font-mono">{name}</span>} required>
            {(control) => (
              <Textarea
                {...control}
                rows={form.variables.length > 2 ? 2 : 5}
                value={form.fields[name] ?? ""}
                onChange={(event) => form.setFields({ ...form.fields, [name]: event.target.value })}
              />
            )}
          </Field>
        ))
      )}
      <Field label="Seed" hint="The same seed asks for the same answer, where the model can.">
        {(control) => (
          <Input
            {...control}
            inputMode="numeric"
            className="numeric w-40"
            value={String(form.seed)}
            onChange={(event) => {
              const seed = Number(event.target.value.replace(/\D/g, ""));
              if (Number.isSafeInteger(seed)) form.setSeed(seed);
            }}
          />
        )}
      </Field>
    </div>
  );
}
