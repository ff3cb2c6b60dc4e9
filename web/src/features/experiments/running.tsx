import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Upload } from "lucide-react";
import { useRef } from "react";
import { lacking, useMay } from "@/api/access";
import { authorisedFetch, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { formatCount, formatDuration } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import { useNow } from "@/components/use-now";
import { type Experiment, type ExperimentPath, refreshExperiments } from "./queries";

export function Running({ path, experiment }: { path: ExperimentPath; experiment: Experiment }) {
  return experiment.execution === "outputs" && experiment.status === "waiting" ? (
    <BringOutputs path={path} experiment={experiment} />
  ) : (
    <Measuring experiment={experiment} />
  );
}

function Measuring({ experiment }: { experiment: Experiment }) {
  const now = useNow();
  const since = experiment.started_at ? now - Date.parse(experiment.started_at) : null;
  const executions = experiment.items * experiment.repeats * experiment.arms.length;
  return (
    <Panel title={experiment.status === "queued" ? "Waiting for its turn" : "Measuring"}>
      <div className="flex flex-col gap-2" role="status">
        <Progress value={null} label="The experiment is measured" />
        <p className="numeric text-sm text-muted">
          {formatCount(executions)} executions: {formatCount(experiment.items)} items × {experiment.arms.length} arms
          {experiment.repeats > 1 && ` × ${experiment.repeats} repeats`}
          {since !== null && since >= 0 && `, for ${formatDuration(since)} so far`}. Results appear here once all of them are scored.
        </p>
      </div>
    </Panel>
  );
}

function BringOutputs({ path, experiment }: { path: ExperimentPath; experiment: Experiment }) {
  const mayWrite = useMay("write:workspace");
  const queries = useQueryClient();
  const picker = useRef<HTMLInputElement>(null);
  const base = `/api/v1/workspaces/${path.workspace_id}/changesets/experiments/${path.experiment_id}`;
  const bring = useMutation({
    mutationFn: async (file: File) => {
      const response = await authorisedFetch(
        new Request(new URL(`${base}/outputs`, location.origin), {
          method: "POST",
          headers: { "Content-Type": "application/x-ndjson" },
          body: file,
        }),
      );
      return (await response.json()) as Schemas["OutputsOut"];
    },
    onSuccess: () => refreshExperiments(queries),
  });
  const answer = bring.data;
  return (
    <Panel
      title="Waiting for outputs"
      description="You run the agent, and bring what it answered. It is scored once every item of every arm is there."
      actions={
        <Button variant="primary" size="sm" disabled={!mayWrite} title={mayWrite ? undefined : lacking("write:workspace")} pending={bring.isPending} onClick={() => picker.current?.click()}>
          <Upload aria-hidden />
          Upload outputs
        </Button>
      }
    >
      <div className="flex flex-col gap-3">
        <input
          ref={picker}
          type="file"
          accept=".jsonl,.ndjson"
          tabIndex={-1}
          aria-label="File of outputs"
          className="sr-only"
          onChange={(event) => {
            const file = event.target.files?.[0];
            if (file) bring.mutate(file);
            event.target.value = "";
          }}
        />
        {bring.error !== null && <ProblemNotice error={bring.error} />}
        {answer && (
          <div role="status" className="flex flex-col gap-1">
            <Progress value={answer.expected === 0 ? null : 1 - answer.missing / answer.expected} label="Outputs that are there" />
            <p className="numeric text-sm text-muted">
              {formatCount(answer.expected - answer.missing)} of {formatCount(answer.expected)} outputs are there.
            </p>
          </div>
        )}
        <p className="text-sm">1. Take the inputs, one a line, without what is expected:</p>
        <CodeBlock language="Shell" code={`curl -H "Authorization: Bearer $SPECTRAL_KEY" \\\n  ${location.origin}${base}/items > items.jsonl`} />
        <p className="text-sm">2. Run every arm on them, and write one line for each answer:</p>
        <CodeBlock
          language="JSON Lines"
          code={experiment.arms.map((arm) => JSON.stringify({ item_id: "…", config_hash: arm.config_hash, output: `what ${arm.label} answered` })).join("\n")}
        />
        <p className="text-sm">3. Bring them, at once or in parts:</p>
        <CodeBlock
          language="Shell"
          code={`curl -H "Authorization: Bearer $SPECTRAL_KEY" -H 'Content-Type: application/x-ndjson' \\\n  --data-binary @outputs.jsonl ${location.origin}${base}/outputs`}
        />
      </div>
    </Panel>
  );
}
