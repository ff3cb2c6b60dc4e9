export const LIFETIMES = [
  { value: "30", label: "In 30 days" },
  { value: "90", label: "In 90 days" },
  { value: "365", label: "In a year" },
  { value: "never", label: "Never" },
] as const;

export type Lifetime = (typeof LIFETIMES)[number]["value"];

const DAY_MS = 86_400_000;

/** When something that is made now ends, as the API takes it. */
export function expiryOf(lifetime: Lifetime, now: number): string | null {
  return lifetime === "never" ? null : new Date(now + Number(lifetime) * DAY_MS).toISOString();
}

export const OVERLAPS = [
  { value: "0", label: "At once" },
  { value: "3600", label: "In an hour" },
  { value: "86400", label: "In a day" },
] as const;

export type Overlap = (typeof OVERLAPS)[number]["value"];
