import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { toast } from "sonner";
import { api, idempotencyKey, type Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { formatCount, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";

type ExpectedFrom = Schemas["TraceCollectionIn"]["expected_from"];
type SplitChoice = Schemas["Split"] | "shares";

const NEW = "new";

export interface AddToSamplesProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  traceIds: readonly string[];
}

export function AddToSamples({ open, onOpenChange, traceIds }: AddToSamplesProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Add ${pluralise(traceIds.length, "trace")} to samples`}
      description="A sample is an input and what is expected of an agent that is asked the same. Repetitions are skipped."
    >
      {open && <AddForm traceIds={traceIds} onDone={() => onOpenChange(false)} />}
    </Dialog>
  );
}

function AddForm({ traceIds, onDone }: { traceIds: readonly string[]; onDone: () => void }) {
  const workspaceId = useWorkspaceId();
  const path = { workspace_id: workspaceId };
  const sets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/samples", { params: { path, query: { limit: 100 } } });
  const [chosen, setChosen] = useState<string>();
  const [name, setName] = useState("");
  const [expectedFrom, setExpectedFrom] = useState<ExpectedFrom>("output");
  const [split, setSplit] = useState<SplitChoice>("shares");
  // One key for each thing that is meant: other choices are another import.
  const [keys] = useState(() => new Map<string, string>());
  const keyOf = (intent: string) => {
    const key = keys.get(intent) ?? idempotencyKey();
    keys.set(intent, key);
    return key;
  };
  const create = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/samples");
  const collect = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/samples/{set_id}/import");
  const [done, setDone] = useState<Schemas["ImportOut"]>();

  if (sets.error) return <ProblemNotice error={sets.error} retry={() => void sets.refetch()} />;
  if (!sets.data) return <SkeletonRows rows={3} label="Loading the sample sets" />;
  const target = chosen ?? sets.data.results[0]?.id ?? NEW;
  if (done) return <Outcome result={done} onDone={onDone} />;

  const add = async () => {
    const setId =
      target === NEW
        ? (await create.mutateAsync({ params: { path, header: { "Idempotency-Key": keyOf(`create ${name}`) } }, body: { name: name.trim() } })).id
        : target;
    const result = await collect.mutateAsync({
      params: { path: { ...path, set_id: setId }, header: { "Idempotency-Key": keyOf(`import ${setId} ${expectedFrom} ${split}`) } },
      body: { trace_ids: [...traceIds], expected_from: expectedFrom, split: split === "shares" ? undefined : split },
    });
    setDone(result);
    await sets.refetch();
    toast.success(`${pluralise(result.imported, "sample")} added`);
  };
  const error = create.error ?? collect.error;
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        add().catch(() => undefined);
      }}
    >
      <Field label="Sample set">
        {(control) => (
          <Select
            {...control}
            value={target}
            onValueChange={setChosen}
            options={[
              ...sets.data.results.map((set) => ({ value: set.id, label: set.name, hint: pluralise(set.items, "sample") })),
              { value: NEW, label: "New sample set…" },
            ]}
          />
        )}
      </Field>
      {target === NEW && (
        <Field label="Name of the new set" required>
          {(control) => <Input {...control} value={name} maxLength={120} onChange={(event) => setName(event.target.value)} />}
        </Field>
      )}
      <Field label="What is expected" hint={HINTS[expectedFrom]}>
        {(control) => (
          <Select
            {...control}
            value={expectedFrom}
            onValueChange={setExpectedFrom}
            options={[
              { value: "output", label: "What was answered" },
              { value: "feedback", label: "What people said instead" },
              { value: "none", label: "Left open" },
            ]}
          />
        )}
      </Field>
      <Field label="Split" hint="Traces of one session or user stay together, whatever is chosen here.">
        {(control) => (
          <Select
            {...control}
            value={split}
            onValueChange={setSplit}
            options={[
              { value: "shares", label: "By the shares of the set" },
              { value: "reflect", label: "Reflect: what scans learn from" },
              { value: "select", label: "Select: what they choose by" },
              { value: "holdout", label: "Holdout: for the verdict alone" },
            ]}
          />
        )}
      </Field>
      {error && <ProblemNotice error={error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="primary" disabled={target === NEW && name.trim() === ""} pending={create.isPending || collect.isPending}>
          Add {pluralise(traceIds.length, "trace")}
        </Button>
      </div>
    </form>
  );
}

const HINTS: Record<ExpectedFrom, string> = {
  output: "Right where the answers were good.",
  feedback: "Feedback called “expected” or “correction”, or the answer where its score was at least 0.5; other traces make no sample.",
  none: "The sample has an input only; rubrics judge the answers.",
};

const LEFT_OUT: Record<string, string> = {
  evaluation: "were run for an evaluation",
  not_found: "do not exist any more",
  no_input: "have no input",
  no_expected: "say nothing about what is expected",
  unusable: "cannot be stored as a sample",
};
const SKIPPED: Record<string, string> = {
  duplicate: "are in the set already",
  near_duplicate: "are nearly the same as one in the set",
  contradiction: "contradict one in the set",
  bridge: "would join two splits",
};

function Outcome({ result, onDone }: { result: Schemas["ImportOut"]; onDone: () => void }) {
  const workspaceId = useWorkspaceId();
  const reasons = [
    ...Object.entries(result.left_out ?? {}).map(([why, count]) => ({ count, said: LEFT_OUT[why] ?? why })),
    ...Object.entries(result.skipped).map(([why, count]) => ({ count, said: SKIPPED[why] ?? why })),
  ].filter(({ count }) => count > 0);
  return (
    <div className="flex flex-col gap-3">
      <p role="status">
        {pluralise(result.imported, "sample")} added: {formatCount(result.splits.reflect)} reflect, {formatCount(result.splits.select)} select and {formatCount(result.splits.holdout)} holdout
        are in the set now.
      </p>
      {reasons.length > 0 && (
        <ul className="list-disc pl-5 text-muted">
          {reasons.map(({ count, said }) => (
            <li key={said}>
              {formatCount(count)} {said}
            </li>
          ))}
        </ul>
      )}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Close</Button>
        <Button asChild variant="primary">
          <Link to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId: result.set_id }}>
            Open the set
          </Link>
        </Button>
      </div>
    </div>
  );
}
