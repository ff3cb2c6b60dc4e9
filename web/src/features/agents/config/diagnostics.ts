import type { FieldProblem } from "@/api/problems";
import type { EditorDiagnostic } from "@/components/editor/code-editor";
import type { Range, ReadDocument } from "./yaml-read";

/** What the text itself gets wrong, and what the server found wrong in it, on the lines where it stands. */
export function diagnose(text: string, document: ReadDocument, refused: readonly FieldProblem[], prefix: string): EditorDiagnostic[] {
  const found = document.problems.map((problem) => diagnostic(text, problem, problem.message));
  for (const { pointer, detail } of refused) {
    const own = pointer.startsWith(`${prefix}/`) ? pointer.slice(prefix.length) : "";
    const { range, at } = nearest(document.places, own);
    found.push(diagnostic(text, range, at === own ? detail : `${own}: ${detail}`));
  }
  return found;
}

/** The place of the pointer, or of the nearest thing around it that exists. */
function nearest(places: ReadonlyMap<string, Range>, pointer: string): { range: Range; at: string } {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
    const range = places.get(at);
    if (range) return { range, at };
    if (at === "") return { range: { from: 0, to: 0 }, at };
  }
}

function diagnostic(text: string, { from, to }: Range, message: string): EditorDiagnostic {
  const start = position(text, from);
  const end = position(text, to);
  return { ...start, endLine: end.line, endColumn: end.column, message, severity: "error" };
}

function position(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}
