/** What a file of samples looks like before it is sent: its first rows, and what the server would refuse among them. */

export interface PreviewRow {
  /** On which line of the file it starts. */
  line: number;
  input: unknown;
  expected: unknown;
  metadata: unknown;
}

export interface FilePreview {
  format: "jsonl" | "csv";
  rows: PreviewRow[];
  problems: { line: number; detail: string }[];
  /** Rows that were looked at: the beginning of the file. */
  read: number;
  /** Whether the file goes on behind what was looked at. */
  cut: boolean;
}

const MEMBERS = ["input", "expected", "metadata", "source_trace_id"];
export const SHOWN_ROWS = 5;
const NAMED_PROBLEMS = 10;

/** Of a file name, or null where it is neither. */
export function formatOf(name: string): "jsonl" | "csv" | null {
  if (/\.csv$/i.test(name)) return "csv";
  return /\.(jsonl|ndjson)$/i.test(name) ? "jsonl" : null;
}

export function previewJsonl(text: string, cut: boolean): FilePreview {
  const lines = text.split("\n");
  // The last line of a piece is not whole.
  if (cut) lines.pop();
  const preview: FilePreview = { format: "jsonl", rows: [], problems: [], read: 0, cut };
  lines.forEach((raw, index) => {
    if (raw.trim() === "") return;
    preview.read += 1;
    const line = index + 1;
    let value: unknown;
    try {
      value = JSON.parse(index === 0 ? raw.replace(/^\uFEFF/, "") : raw);
    } catch {
      note(preview, line, "is not valid JSON");
      return;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      note(preview, line, "is not a JSON object");
      return;
    }
    const sample: Record<string, unknown> = { ...value };
    if (!("input" in sample)) note(preview, line, "has no input");
    else keep(preview, { line, input: sample.input, expected: sample.expected ?? null, metadata: sample.metadata ?? {} });
  });
  return preview;
}

export function previewCsv(text: string, cut: boolean): FilePreview {
  const preview: FilePreview = { format: "csv", rows: [], problems: [], read: 0, cut };
  const records = csvRecords(text.replace(/^\uFEFF/, ""));
  if (cut) records.pop();
  const header = records.shift()?.cells ?? [];
  if (!header.some((name) => name === "input" || name.startsWith("input."))) {
    note(preview, 1, "the header has no input column");
    return preview;
  }
  const unknown = header.filter((name) => !MEMBERS.includes(name) && !/^(input|expected|metadata)\../.test(name));
  if (unknown.length > 0) note(preview, 1, `columns that are not known: ${unknown.join(", ")}`);
  for (const { line, cells } of records) {
    preview.read += 1;
    if (cells.length !== header.length) {
      note(preview, line, `has ${cells.length} cells, the header has ${header.length}`);
      continue;
    }
    keep(preview, { line, input: member(header, cells, "input"), expected: member(header, cells, "expected"), metadata: member(header, cells, "metadata") ?? {} });
  }
  return preview;
}

function member(header: readonly string[], cells: readonly string[], name: string): unknown {
  const whole = header.indexOf(name);
  if (whole >= 0) return cells[whole] === "" && name !== "input" ? null : cells[whole];
  const nested = header.flatMap((column, index): [string, string][] =>
    column.startsWith(`${name}.`) && cells[index] !== "" ? [[column.slice(name.length + 1), cells[index] ?? ""]] : [],
  );
  return nested.length > 0 ? Object.fromEntries(nested) : null;
}

interface CsvRecord {
  line: number;
  cells: string[];
}

/** RFC 4180: quotes around a cell, two quotes for one inside, line breaks inside of quotes. */
export function csvRecords(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let cell = "";
  let quoted = false;
  let line = 1;
  let start = 1;
  const endRecord = () => {
    if (cells.length > 0 || cell !== "") records.push({ line: start, cells: [...cells, cell] });
    cells = [];
    cell = "";
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === '"' && text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (char === '"') quoted = false;
      else {
        cell += char;
        if (char === "\n") line += 1;
      }
    } else if (char === '"' && cell === "") quoted = true;
    else if (char === ",") {
      cells.push(cell);
      cell = "";
    } else if (char === "\n" || char === "\r") {
      if (char === "\r" && text[at + 1] === "\n") at += 1;
      endRecord();
      line += 1;
      start = line;
    } else cell += char;
  }
  endRecord();
  return records;
}

function keep(preview: FilePreview, row: PreviewRow): void {
  if (preview.rows.length < SHOWN_ROWS) preview.rows.push(row);
}

function note(preview: FilePreview, line: number, detail: string): void {
  if (preview.problems.length < NAMED_PROBLEMS) preview.problems.push({ line, detail });
}
