import type { Schemas } from "@/api/client";
import { formatCost, formatCount, formatDuration } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { TextBody } from "@/components/text-body";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import type { InvocationRun } from "./use-invocation";

type Invocation = Schemas["InvocationOut"];

export interface InvocationResultProps {
  run: InvocationRun;
  /** An earlier run, in place of the latest one. */
  shown: Invocation | null;
  /** What the other side said to the same input. */
  other: Invocation | undefined;
}

export function InvocationResult({ run, shown, other }: InvocationResultProps) {
  if (run.isPending) {
    return (
      <div role="status" className="flex flex-col gap-2">
        <span className="sr-only">Running…</span>
        <Skeleton className="h-16" />
        <Skeleton className="h-10 w-2/3" />
      </div>
    );
  }
  const result = shown ?? run.result;
  if (!shown && run.error) return <ProblemNotice error={run.error} />;
  if (!result) return <p className="text-sm text-muted">What the agent answers is shown here, with its tokens, cost and latency. The run is kept and does not count as live traffic.</p>;
  const comparable = other !== undefined && other.output !== null && result.output !== null && sameInput(other, result);
  return (
    <div className="flex min-w-0 flex-col gap-3" aria-live="polite">
      {shown && <p className="text-xs text-muted">An earlier run, from the history below.</p>}
      {result.error ? (
        <div className="rounded-md bg-bad-soft p-2.5 text-sm text-bad">
          <p className="font-mono text-xs">{result.error.type}</p>
          <p className="break-words">{result.error.message}</p>
        </div>
      ) : (
        <div className="rounded-md border border-line bg-canvas p-2.5">
          <TextBody text={result.output ?? ""} maxHeight={420} />
          {result.output === "" && <p className="text-sm text-muted">The answer is empty.</p>}
        </div>
      )}
      {comparable && (
        <Badge tone={other.output === result.output ? "good" : "warn"} className="self-start">
          {other.output === result.output ? "Both sides say the same" : "The sides differ"}
        </Badge>
      )}
      <dl className="numeric grid grid-cols-[repeat(auto-fill,minmax(8.5rem,1fr))] gap-x-4 gap-y-2 text-sm">
        <Fact label="Tokens" value={`${formatCount(result.input_tokens)} in · ${formatCount(result.output_tokens)} out`} />
        <Fact label="Cost" value={formatCost(result.cost_usd)} title={result.cost_usd === null ? "The price of the model is not known" : "US dollars"} />
        <Fact label="Latency" value={formatDuration(result.latency_ms)} />
        <Fact label="Config" value={result.version === null ? `draft ${result.config_hash.slice(0, 7)}` : `version ${result.version}`} title={result.config_hash} />
        <Fact label="Model" value={result.model} />
        <Fact label="Seed" value={String(result.seed)} />
        <div>
          <dt className="text-xs text-muted">Started</dt>
          <dd>
            <Time at={result.started_at} />
          </dd>
        </div>
      </dl>
    </div>
  );
}

function Fact({ label, value, title }: { label: string; value: string; title?: string }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{label}</dt>
      <dd className="truncate" title={title ?? value}>
        {value}
      </dd>
    </div>
  );
}

function sameInput(one: Invocation, other: Invocation): boolean {
  return JSON.stringify(one.input) === JSON.stringify(other.input);
}
