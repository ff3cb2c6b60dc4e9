import { useQuery } from "@tanstack/react-query";
import { Snowflake } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import type { Schemas } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatNumber, formatPercent } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { LEAST_ITEMS, LOOK_ALPHAS, spentOf } from "./holdout-ledger";
import { holdoutsQuery, type SetPath } from "./queries";

interface HoldoutPanelProps {
  path: SetPath;
  set: Schemas["SampleSetOut"];
  onFreeze: () => void;
}

export function HoldoutPanel({ path, set, onFreeze }: HoldoutPanelProps) {
  const holdouts = useQuery(holdoutsQuery(path));
  const refused = useFreezeRefusal(set);
  const button = (
    <Button variant="primary" disabled={refused !== undefined} title={refused} onClick={onFreeze}>
      <Snowflake aria-hidden />
      Freeze the holdout
    </Button>
  );
  if (holdouts.error) return <ProblemNotice error={holdouts.error} retry={() => void holdouts.refetch()} />;
  if (!holdouts.data) return <SkeletonRows rows={4} label="Loading holdouts" />;
  const { results } = holdouts.data;
  return (
    <div className="flex flex-col gap-4">
      {results.length === 0 ? (
        <Panel>
          <EmptyState icon={<Snowflake />} title="No holdout is frozen" actions={button}>
            A verdict on a change set needs a holdout: samples that are hashed, that no search reads, and that are never changed.{" "}
            {set.splits.holdout < LEAST_ITEMS && `It takes at least ${LEAST_ITEMS} items in the split; there are ${formatCount(set.splits.holdout)}.`}
          </EmptyState>
        </Panel>
      ) : (
        results.map((holdout) => <Holdout key={holdout.id} holdout={holdout} current={holdout.id === set.holdout?.id} />)
      )}
      {results.length > 0 && set.holdout === null && <div>{button}</div>}
    </div>
  );
}

/** Why the holdout cannot be frozen now; undefined when it can. */
export function useFreezeRefusal(set: Schemas["SampleSetOut"]): string | undefined {
  const mayWrite = useMay("write:workspace");
  if (!mayWrite) return lacking("write:workspace");
  if (set.holdout && !set.holdout.retired_at) return "A holdout is frozen already; the next can be frozen once it is retired";
  if (set.splits.holdout < LEAST_ITEMS) return `At least ${LEAST_ITEMS} items in the holdout split are needed; there are ${set.splits.holdout}`;
  return undefined;
}

function Holdout({ holdout, current }: { holdout: Schemas["HoldoutOut"]; current: boolean }) {
  const spent = spentOf(holdout.looks);
  return (
    <Panel
      title={
        <span className="inline-flex items-center gap-2">
          Holdout of {formatCount(holdout.size)} items
          {holdout.retired_at ? <Badge>Retired</Badge> : <Badge tone="info">{current ? "Current" : "Frozen"}</Badge>}
        </span>
      }
    >
      <div className="grid gap-6 lg:grid-cols-[minmax(0,1fr)_minmax(0,1.4fr)]">
        <Ledger spent={spent} />
        <KeyValue
          items={[
            { label: "Id", value: <Copied text={holdout.id} label="Copy holdout id" /> },
            { label: "SHA-256", value: <Copied text={holdout.digest} label="Copy digest" /> },
            { label: "Frozen", value: <Time at={holdout.frozen_at} relative={false} /> },
            ...(holdout.retired_at
              ? [
                  { label: "Retired", value: <Time at={holdout.retired_at} relative={false} /> },
                  { label: "Why", value: holdout.retired_reason ?? "unknown" },
                ]
              : []),
          ]}
        />
      </div>
    </Panel>
  );
}

function Copied({ text, label }: { text: string; label: string }) {
  return (
    <span className="flex items-center gap-1">
      <span className="font-mono text-xs break-all">{text}</span>
      <CopyButton text={text} label={label} className="size-6" />
    </span>
  );
}

function Ledger({ spent }: { spent: ReturnType<typeof spentOf> }) {
  return (
    <div className="flex flex-col gap-2">
      <p className="text-sm">
        <span className="numeric font-semibold">
          {spent.looks} of {spent.planned}
        </span>{" "}
        looks spent ·{" "}
        <span className="numeric font-semibold">
          α {formatNumber(spent.alphaLeft, { digits: 4 })} of {formatNumber(LOOK_ALPHAS.reduce((sum, alpha) => sum + alpha, 0))}
        </span>{" "}
        left
      </p>
      <ol className="flex gap-1" aria-label="Looks of this holdout">
        {LOOK_ALPHAS.map((alpha, index) => {
          const taken = index < spent.looks;
          return (
            <li
              key={index}
              style={{ flexGrow: alpha * 1000 }}
              className={`numeric min-w-0 basis-0 rounded-sm border px-1.5 py-1 text-2xs ${taken ? "border-line bg-sunken text-muted line-through" : "border-line-strong text-text"}`}
              title={`Look ${index + 1}: α ${alpha}, interval of ${formatPercent(1 - alpha, { digits: 2 })}${taken ? ", spent" : ""}`}
            >
              {alpha}
              <span className="sr-only">{taken ? " spent" : " left"}</span>
            </li>
          );
        })}
      </ol>
      <p className="text-xs text-muted">
        {spent.nextConfidence === null
          ? "No look is left: the next verdict needs a fresh holdout, frozen from new samples."
          : `The next look reports a ${formatPercent(spent.nextConfidence, { digits: 2 })} interval. Looks are counted over all change sets.`}
      </p>
    </div>
  );
}
