export interface DiffPart {
  kind: "same" | "removed" | "added";
  text: string;
}

/** The table of the comparison grows with the product of both lengths. */
const MOST_WORDS = 2_000;

/** What changed from one text to the other, by words; null where they are too long to be compared here. */
export function wordDiff(before: string, after: string): DiffPart[] | null {
  const left = words(before);
  const right = words(after);
  if (left.length > MOST_WORDS || right.length > MOST_WORDS) return null;
  const width = right.length + 1;
  // The longest common run of words from each pair of places on.
  const common = new Uint16Array((left.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const parts: DiffPart[] = [];
  const put = (kind: DiffPart["kind"], text: string) => {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    const [old, fresh] = [left[i], right[j]];
    if (old !== undefined && old === fresh) {
      put("same", old);
      i += 1;
      j += 1;
    } else if (old !== undefined && (fresh === undefined || at(i + 1, j) >= at(i, j + 1))) {
      put("removed", old);
      i += 1;
    } else if (fresh !== undefined) {
      put("added", fresh);
      j += 1;
    }
  }
  return parts;
}

/** Words, the space between them, and each other sign by itself: together they are the text again. */
function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
}
