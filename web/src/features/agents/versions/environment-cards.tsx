import { Undo2, Users } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { formatPercent } from "@/components/format";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { ActorName } from "../actor-name";
import { useAgentPath } from "../use-agent-path";
import { type Live, PRODUCTION } from "./environments";
import type { PromotionWish } from "./promote-dialog";

export interface EnvironmentCardsProps {
  agent: Schemas["AgentOut"];
  live: readonly Live[];
  onPromote: (wish: PromotionWish) => void;
}

/** What is live where, and the way back. */
export function EnvironmentCards({ agent, live, onPromote }: EnvironmentCardsProps) {
  return (
    <ul aria-label="Environments" className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
      {live.map((one) => (
        <EnvironmentCard key={one.environment} one={one} archived={agent.archived} onPromote={onPromote} />
      ))}
    </ul>
  );
}

function EnvironmentCard({ one, archived, onPromote }: { one: Live; archived: boolean; onPromote: (wish: PromotionWish) => void }) {
  const { environment, version, promotion, before } = one;
  const mayApprove = useMay("approve:agents");
  const arms = useArms(environment, promotion?.holdback !== null && promotion !== null);
  const refusal = archived ? "The agent is archived" : mayApprove ? undefined : lacking("approve:agents");
  return (
    <li className="flex min-w-0 flex-col gap-2 rounded-md border border-line bg-surface p-3">
      <div className="flex items-center justify-between gap-2">
        <span className="flex min-w-0 items-center gap-2">
          <span aria-hidden className={environment === PRODUCTION ? "size-2 rounded-full bg-good" : "size-2 rounded-full bg-line-strong"} />
          <span className="truncate font-medium">{environment}</span>
        </span>
        <span className="numeric text-base font-semibold">Version {version}</span>
      </div>
      {arms.length > 0 && <Arms arms={arms} />}
      <div className="flex min-h-7 flex-wrap items-center justify-between gap-2">
        <span className="text-xs text-muted">
          {promotion ? (
            <>
              since <Time at={promotion.created_at} /> by <ActorName actor={promotion.actor} />
            </>
          ) : (
            "since a promotion that is further back"
          )}
        </span>
        <span className="flex flex-wrap gap-1.5">
          {arms.length > 0 && (
            <Button size="sm" disabled={refusal !== undefined} title={refusal} onClick={() => onPromote({ version, environment })}>
              <Users aria-hidden />
              Live for everybody…
            </Button>
          )}
          {before !== null && before < version && (
            <Button size="sm" disabled={refusal !== undefined} title={refusal} onClick={() => onPromote({ version: before, environment })}>
              <Undo2 aria-hidden />
              Roll back to version {before}…
            </Button>
          )}
        </span>
      </div>
    </li>
  );
}

/** The arms of a holdback; none where every session gets the same version. */
export function useArms(environment: string, mayBeHeld: boolean): readonly Schemas["ArmOut"][] {
  const path = useAgentPath();
  const config = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/config",
    { params: { path, query: { environment } } },
    // A promotion keeps saying how much it held back; only this says whether it still does.
    { enabled: mayBeHeld },
  );
  return mayBeHeld ? (config.data?.arms ?? []) : [];
}

function Arms({ arms }: { arms: readonly Schemas["ArmOut"][] }) {
  return (
    <div className="flex flex-col gap-1">
      <div aria-hidden className="flex h-1.5 overflow-hidden rounded-full">
        {arms.map(({ version, weight }, index) => (
          <span key={version} style={{ width: `${weight * 100}%` }} className={index === 0 ? "bg-accent" : "bg-series-3"} />
        ))}
      </div>
      <p className="numeric text-xs text-muted">
        {arms.map(({ version, weight }, index) => (
          <span key={version}>
            {index > 0 && " · "}
            {index === 0 ? "" : "held back: "}version {version} for {formatPercent(weight, { digits: 0 })} of the sessions
          </span>
        ))}
      </p>
    </div>
  );
}
