import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useDeferredValue, useState } from "react";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { formatCount } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { describeProblem } from "@/components/problem-text";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { refreshSamples, type SetPath } from "./queries";
import { SPLITS, type Split } from "./search";

const MOST = 2000;

const EXPECTED = [
  { value: "output", label: "What the agent answered", hint: "Right where the traffic is known to be good" },
  { value: "feedback", label: "What people said", hint: "Feedback called expected or correction; else the answer where its last score is at least 0.5" },
  { value: "none", label: "Nothing", hint: "For scorers that need no expected answer" },
] as const;

interface ImportTracesProps {
  path: SetPath;
  onImported: (receipt: Schemas["ImportOut"]) => void;
}

export function ImportTraces({ path, onImported }: ImportTracesProps) {
  const queries = useQueryClient();
  const [key] = useState(idempotencyKey);
  const [filter, setFilter] = useState('started_at > "now-7d"');
  const [limit, setLimit] = useState("500");
  const [expectedFrom, setExpectedFrom] = useState<(typeof EXPECTED)[number]["value"]>("output");
  const [split, setSplit] = useState<Split | "">("");
  const asked = useDeferredValue(filter.trim());
  const matching = useQuery({
    ...api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/traces", {
      params: { path: { workspace_id: path.workspace_id }, query: { limit: 1, filter: asked || undefined } },
    }),
    retry: false,
  });
  const bring = useMutation({
    mutationFn: async () => {
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/samples/{set_id}/import", {
        params: { path },
        headers: { "Idempotency-Key": key },
        body: { filter: filter.trim() || null, limit: Number(limit), expected_from: expectedFrom, split: split || null },
      });
      return data!;
    },
    onSuccess: async (receipt) => {
      await refreshSamples(queries);
      onImported(receipt);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!bring.isPending) bring.mutate();
  };
  const page = matching.data?.pagination;
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field
        label="Filter"
        hint="As in the list of traces. Empty: the newest traces. Traces of evaluations are left out."
        error={matching.error ? describeProblem(matching.error).detail || describeProblem(matching.error).points[0]?.detail : undefined}
      >
        {(control) => (
          <Input {...control} autoFocus spellCheck={false} className="font-mono text-xs" value={filter} onChange={(event) => setFilter(event.target.value)} />
        )}
      </Field>
      <p role="status" className="numeric -mt-2 text-xs text-muted">
        {page ? `${page.total_is_estimate ? "About " : ""}${formatCount(page.total)} traces fit.` : matching.error ? "" : "Counting…"}
      </p>
      <div className="grid gap-4 sm:grid-cols-3">
        <Field label="What is expected">
          {(control) => <Select {...control} value={expectedFrom} onValueChange={setExpectedFrom} options={EXPECTED} />}
        </Field>
        <Field label="At most" hint="The newest that fit, up to 2,000">
          {(control) => <Input {...control} type="number" min={1} max={MOST} step={1} value={limit} onChange={(event) => setLimit(event.target.value)} />}
        </Field>
        <Field label="Split" hint="Where the session is nowhere yet">
          {(control) => (
            <Select
              {...control}
              value={split}
              onValueChange={setSplit}
              options={[{ value: "", label: "The set decides" }, ...SPLITS.map((one) => ({ value: one, label: one }))]}
            />
          )}
        </Field>
      </div>
      {bring.error !== null && <ProblemNotice error={bring.error} />}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" pending={bring.isPending}>
          Import from traces
        </Button>
      </div>
    </form>
  );
}
