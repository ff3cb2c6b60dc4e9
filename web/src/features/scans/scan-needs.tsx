import { Link } from "@tanstack/react-router";
import { Check, Circle } from "lucide-react";
import type { ReactNode } from "react";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";

const LINK = "text-accent underline underline-offset-2 dark:text-series-1";
const LEAST_ITEMS = 30;

export interface ScanNeedsProps {
  workspaceId: string;
  agents: readonly Schemas["AgentOut"][];
  sampleSets: readonly Schemas["SampleSetOut"][];
  objectives: number;
  actions?: ReactNode;
}

/** What a scan needs, and what of it is there. */
export function ScanNeeds({ workspaceId, agents, sampleSets, objectives, actions }: ScanNeedsProps) {
  const params = { workspaceId };
  const enough = sampleSets.some(({ splits }) => splits.reflect > 0 && splits.select >= LEAST_ITEMS && splits.holdout >= LEAST_ITEMS);
  const frozen = sampleSets.some(({ holdout }) => holdout !== null && holdout.retired_at === null);
  return (
    <EmptyState title="A scan looks for a better configuration of an agent" actions={actions}>
      <p>It proposes changes, compares them on samples, and asks an untouched holdout once whether the best is better. It needs:</p>
      <ul className="mx-auto mt-3 flex w-fit flex-col gap-1.5 text-left text-text">
        <Need met={agents.some((one) => Object.keys(one.live).length > 0)}>
          an <Link className={LINK} to="/w/$workspaceId/agents" params={params}>agent</Link> with a configuration that is live and a search space
        </Need>
        <Need met={enough}>
          <Link className={LINK} to="/w/$workspaceId/samples" params={params}>samples</Link>: at least {LEAST_ITEMS} to select by and {LEAST_ITEMS} held out
        </Need>
        <Need met={frozen}>a holdout, frozen on the page of the sample set</Need>
        <Need met={objectives > 0}>
          an <Link className={LINK} to="/w/$workspaceId/objectives" params={params}>objective</Link> that says what better means
        </Need>
      </ul>
    </EmptyState>
  );
}

function Need({ met, children }: { met: boolean; children: ReactNode }) {
  const Icon = met ? Check : Circle;
  return (
    <li className="flex items-start gap-2">
      <Icon aria-hidden className={met ? "mt-0.5 size-4 shrink-0 text-good" : "mt-1 size-3 shrink-0 translate-x-0.5 text-line-strong"} />
      <span>
        {children}
        <span className="sr-only">{met ? " (there)" : " (missing)"}</span>
      </span>
    </li>
  );
}
