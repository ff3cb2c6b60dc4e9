/** What a key does in a grid, apart from any element. */

export interface GridPlace {
  /** The active row, -1 for none. */
  index: number;
  count: number;
  /** Rows in view at once. */
  page: number;
}

/** The row that a key leads to; null when the key does not move. */
export function moveByKey(key: string, { index, count, page }: GridPlace): number | null {
  if (count === 0) return null;
  const last = count - 1;
  switch (key) {
    case "ArrowDown":
    case "j":
      return Math.min(last, index + 1);
    case "ArrowUp":
    case "k":
      return index < 0 ? last : Math.max(0, index - 1);
    case "PageDown":
      return Math.min(last, Math.max(0, index) + Math.max(1, page - 1));
    case "PageUp":
      return Math.max(0, index - Math.max(1, page - 1));
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}

/** Sets the rows from the last one that was set up to this one, as Shift does everywhere. */
export function checkRange(
  checked: ReadonlySet<string>,
  keys: readonly string[],
  range: { from: number; to: number; on: boolean },
): Set<string> {
  const next = new Set(checked);
  for (let at = Math.min(range.from, range.to); at <= Math.max(range.from, range.to); at += 1) {
    const key = keys[at];
    if (key === undefined) continue;
    if (range.on) next.add(key);
    else next.delete(key);
  }
  return next;
}

/** What the box in the header shows and sets. */
export function checkState(checked: ReadonlySet<string>, keys: readonly string[]): boolean | "indeterminate" {
  let count = 0;
  for (const key of keys) if (checked.has(key)) count += 1;
  if (count === 0) return false;
  return count === keys.length ? true : "indeterminate";
}
