import type { Schemas } from "@/api/client";
import type { Promotion } from "./timeline";

export interface Live {
  environment: string;
  version: number;
  /** How it came there, as far as that has been read. */
  promotion: Promotion | null;
  /** What a rollback leads to: the version that was live before. */
  before: number | null;
}

/** What is live where: production first, then by name. */
export function liveOf(live: Schemas["AgentOut"]["live"], promotions: readonly Promotion[]): Live[] {
  return Object.entries(live)
    .map(([environment, version]) => {
      const latest = promotions.find((one) => one.environment === environment);
      // The list may be older than the agent: then it does not speak of what is live.
      const promotion = latest?.version === version ? latest : null;
      return { environment, version, promotion, before: promotion?.previous_version ?? null };
    })
    .sort((a, b) => weight(a.environment) - weight(b.environment) || a.environment.localeCompare(b.environment));
}

function weight(environment: string): number {
  return environment === PRODUCTION ? 0 : 1;
}

export const PRODUCTION = "production";

/** As the API wants environments to be named. */
export const ENVIRONMENT_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** Those that something is live in, and the usual ones. */
export function environmentChoices(live: Schemas["AgentOut"]["live"]): string[] {
  return [...new Set([PRODUCTION, "staging", ...Object.keys(live).sort()])];
}

export type PromotionPlan =
  | { kind: "nothing"; live: number }
  | { kind: "release"; live: number }
  | { kind: "first" }
  | { kind: "forward"; live: number }
  | { kind: "back"; live: number };

/** What promoting a version would do to an environment. held: whether a holdback is running there. */
export function planPromotion(version: number, live: number | undefined, held: boolean): PromotionPlan {
  if (live === undefined) return { kind: "first" };
  if (live === version) return { kind: held ? "release" : "nothing", live };
  return { kind: version < live ? "back" : "forward", live };
}
