import type { Schemas } from "@/api/client";

/** What one side of the playground runs. */
export type Side = { kind: "version"; version: number } | { kind: "environment"; environment: string } | { kind: "draft" };

export const DRAFT = "draft";

/** From the address: "v3", "production" or "draft". */
export function sideOf(text: string, { live }: Pick<Schemas["AgentOut"], "live">): Side {
  if (text === DRAFT) return { kind: "draft" };
  const version = /^v([1-9]\d*)$/.exec(text)?.[1];
  // Environments may be called anything, also "v3".
  if (version === undefined || live[text] !== undefined) return { kind: "environment", environment: text };
  return { kind: "version", version: Number(version) };
}

export function versionSide(version: number): string {
  return `v${version}`;
}

/** The version whose config the side begins with; undefined where nothing is live, or there is none. */
export function versionOf(side: Side, agent: Schemas["AgentOut"]): number | undefined {
  if (side.kind === "version") return side.version;
  if (side.kind === "environment") return agent.live[side.environment];
  return agent.live.production ?? agent.latest_version ?? undefined;
}

/** With what an agent is tried at first. */
export function firstSide(agent: Schemas["AgentOut"]): string | undefined {
  const live = Object.keys(agent.live);
  if (live.includes("production")) return "production";
  return live[0] ?? (agent.latest_version === null ? undefined : versionSide(agent.latest_version));
}
