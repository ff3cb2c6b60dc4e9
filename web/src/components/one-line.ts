const LONGEST = 300;

/** Any JSON value in one line, for lists. The single member of an object stands for it. */
export function oneLine(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value.slice(0, LONGEST).replaceAll(/\s+/g, " ");
  if (typeof value === "object" && !Array.isArray(value)) {
    const members = Object.values(value);
    if (members.length === 1 && typeof members[0] === "string") return oneLine(members[0]);
  }
  return JSON.stringify(value).slice(0, LONGEST);
}
