import { Change, type DiffConfig, diff, presentableDiff } from "@codemirror/merge";

/** Line codes stay below the surrogates, which the comparison would take for halves of one character. */
const MOST_LINES = 0xd000;
/** Above it, two versions of one place are told apart as a whole. */
const MOST_CHARACTERS = 8_000;
const LINES: DiffConfig = { scanLimit: 4_000, timeout: 300 };
const WORDS: DiffConfig = { scanLimit: 300, timeout: 30 };

/**
 * Finds which lines differ, and only within those which words. Comparing a long text by its characters takes seconds
 * or, cut short, marks everything between the first change and the last.
 */
export function lineDiff(a: string, b: string): readonly Change[] {
  const codes = new Map<string, number>();
  const linesA = linesOf(a);
  const linesB = linesOf(b);
  const codesA = encode(linesA, codes);
  const codesB = encode(linesB, codes);
  if (codes.size >= MOST_LINES) return presentableDiff(a, b, { scanLimit: 500, timeout: 200 });
  const startsA = startsOf(linesA);
  const startsB = startsOf(linesB);
  return diff(codesA, codesB, LINES).flatMap((change) => {
    const fromA = startsA[change.fromA] ?? a.length;
    const toA = startsA[change.toA] ?? a.length;
    const fromB = startsB[change.fromB] ?? b.length;
    const toB = startsB[change.toB] ?? b.length;
    const oneSided = fromA === toA || fromB === toB;
    if (oneSided || toA - fromA + toB - fromB > MOST_CHARACTERS) return [new Change(fromA, toA, fromB, toB)];
    return presentableDiff(a.slice(fromA, toA), b.slice(fromB, toB), WORDS).map(
      (within) => new Change(fromA + within.fromA, fromA + within.toA, fromB + within.fromB, fromB + within.toB),
    );
  });
}

/** Each with its line break, so that the lines make up the text again. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function encode(lines: readonly string[], codes: Map<string, number>): string {
  const parts: string[] = [];
  for (const line of lines) {
    let code = codes.get(line);
    if (code === undefined) {
      code = codes.size + 1;
      codes.set(line, code);
    }
    parts.push(String.fromCharCode(code));
  }
  return parts.join("");
}

function startsOf(lines: readonly string[]): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const line of lines) {
    starts.push(at);
    at += line.length;
  }
  starts.push(at);
  return starts;
}
