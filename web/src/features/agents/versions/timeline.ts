import type { Schemas } from "@/api/client";

export type Version = Schemas["ConfigSummaryOut"];
export type Promotion = Schemas["PromotionOut"];

/** What a promotion was to its environment. */
export type Effect = "first" | "forward" | "back";

export type TimelineEntry =
  | { kind: "version"; at: number; version: Version }
  | { kind: "promotion"; at: number; promotion: Promotion; effect: Effect };

export interface Loaded<Item> {
  /** Newest first, from the newest one on. */
  items: readonly Item[];
  /** Older ones have not been read yet. */
  more: boolean;
}

/**
 * Versions and promotions as one story, newest first. Where one of both lists goes on, the story ends with it: older
 * entries of the other list would stand beside gaps.
 */
export function mergeTimeline(versions: Loaded<Version>, promotions: Loaded<Promotion>): TimelineEntry[] {
  const horizon = Math.max(horizonOf(versions), horizonOf(promotions));
  const entries: TimelineEntry[] = [
    ...versions.items.map((version) => ({ kind: "version" as const, at: Date.parse(version.created_at), version })),
    ...promotions.items.map((promotion) => ({
      kind: "promotion" as const,
      at: Date.parse(promotion.created_at),
      promotion,
      effect: effectOf(promotion),
    })),
  ];
  return entries.filter(({ at }) => at >= horizon).sort((a, b) => b.at - a.at || rank(b) - rank(a) || number(b) - number(a));
}

function horizonOf({ items, more }: Loaded<{ created_at: string }>): number {
  const oldest = items.at(-1);
  return more && oldest ? Date.parse(oldest.created_at) : -Infinity;
}

// In the same instant a version is made first and promoted then.
function rank({ kind }: TimelineEntry): number {
  return kind === "promotion" ? 1 : 0;
}

function number(entry: TimelineEntry): number {
  return entry.kind === "version" ? entry.version.version : entry.promotion.version;
}

function effectOf({ version, previous_version: before }: Pick<Promotion, "version" | "previous_version">): Effect {
  if (before === null) return "first";
  return version < before ? "back" : "forward";
}

/** The change set that a promotion speaks of, from its reason. */
export function changesetOf(reason: string | null): string | null {
  return /^change set ([0-9a-f-]{36})\b/.exec(reason ?? "")?.[1] ?? null;
}
