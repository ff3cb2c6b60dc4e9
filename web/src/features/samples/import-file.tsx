import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { FileUp, X } from "lucide-react";
import { type DragEvent, useId, useRef, useState } from "react";
import { authorisedFetch, idempotencyKey, type Schemas } from "@/api/client";
import { cn } from "@/components/cn";
import { CodeBlock } from "@/components/code-block";
import { formatBytes, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { oneLine } from "@/components/one-line";
import { Button } from "@/components/ui/button";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { type FilePreview, formatOf, previewCsv, previewJsonl } from "./file-preview";
import { refreshSamples, type SetPath } from "./queries";

/** So much of a file is read here; the server reads all of it. */
const LOOKED_AT = 256 * 1024;

interface ImportFileProps {
  path: SetPath;
  file: File | null;
  onFile: (file: File | null) => void;
  onImported: (receipt: Schemas["ImportOut"]) => void;
}

export function ImportFile({ path, file, onFile, onImported }: ImportFileProps) {
  return file ? (
    <ChosenFile key={`${file.name} ${file.size} ${file.lastModified}`} path={path} file={file} onFile={onFile} onImported={onImported} />
  ) : (
    <div className="flex flex-col gap-3">
      <DropZone onFile={onFile} />
      <p className="text-sm text-muted">
        JSON Lines: an object a line. CSV: a header with <code className="font-mono text-xs">input</code> or{" "}
        <code className="font-mono text-xs">input.&lt;member&gt;</code>, <code className="font-mono text-xs">expected</code>,{" "}
        <code className="font-mono text-xs">metadata.&lt;member&gt;</code> and{" "}
        <code className="font-mono text-xs">source_trace_id</code> columns. A wrong line refuses the whole file, and is named.
      </p>
      <CodeBlock language="JSON Lines" code={'{"input": {"ticket": "I was charged twice"}, "expected": "billing", "metadata": {"customer_id": "c-17"}}'} />
    </div>
  );
}

function DropZone({ onFile }: { onFile: (file: File) => void }) {
  const picker = useRef<HTMLInputElement>(null);
  const id = useId();
  const [over, setOver] = useState(false);
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  };
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
      className={cn(
        "flex flex-col items-center gap-2 rounded-md border border-dashed border-line-strong p-8 text-sm text-muted",
        over && "border-accent bg-selected text-text",
      )}
    >
      <FileUp aria-hidden className="size-5" />
      <p>Drop a .jsonl, .ndjson or .csv file here, or</p>
      <Button onClick={() => picker.current?.click()}>Choose a file</Button>
      <label htmlFor={id} className="sr-only">
        File of samples
      </label>
      <input
        ref={picker}
        id={id}
        type="file"
        accept=".jsonl,.ndjson,.csv"
        tabIndex={-1}
        className="sr-only"
        onChange={(event) => {
          const file = event.target.files?.[0];
          if (file) onFile(file);
        }}
      />
    </div>
  );
}

function ChosenFile({ path, file, onFile, onImported }: ImportFileProps & { file: File }) {
  const queries = useQueryClient();
  const [key] = useState(idempotencyKey);
  const format = formatOf(file.name);
  const preview = useQuery({
    queryKey: ["sample file preview", file.name, file.size, file.lastModified],
    queryFn: () => previewOf(file),
    enabled: format !== null,
    gcTime: 0,
  });
  const send = useMutation({
    mutationFn: () => importFile(path, file, format === "csv" ? "text/csv" : "application/x-ndjson", key),
    onSuccess: async (receipt) => {
      await refreshSamples(queries);
      onImported(receipt);
    },
  });
  return (
    <div className="flex flex-col gap-3">
      <div className="flex items-center justify-between gap-3 rounded-md border border-line bg-canvas px-3 py-1.5">
        <span className="min-w-0 truncate">
          <span className="font-medium">{file.name}</span> <span className="numeric text-muted">{formatBytes(file.size)}</span>
        </span>
        <Button variant="ghost" size="icon" aria-label="Choose another file" title="Choose another file" onClick={() => onFile(null)} disabled={send.isPending}>
          <X aria-hidden />
        </Button>
      </div>
      {format === null && <p className="text-sm text-bad">The name must end with .jsonl, .ndjson or .csv, or the format is not known.</p>}
      {preview.error && <ProblemNotice error={preview.error} />}
      {preview.data && <Preview preview={preview.data} />}
      {send.error !== null && <ProblemNotice error={send.error} />}
      <div className="flex justify-end">
        <Button variant="primary" disabled={format === null} pending={send.isPending} onClick={() => send.mutate()}>
          Import
        </Button>
      </div>
    </div>
  );
}

async function previewOf(file: File): Promise<FilePreview> {
  const text = await file.slice(0, LOOKED_AT).text();
  const cut = file.size > LOOKED_AT;
  return formatOf(file.name) === "csv" ? previewCsv(text, cut) : previewJsonl(text, cut);
}

async function importFile(path: SetPath, file: File, type: string, key: string): Promise<Schemas["ImportOut"]> {
  const address = new URL(`/api/v1/workspaces/${path.workspace_id}/samples/${path.set_id}/import`, location.origin);
  const response = await authorisedFetch(
    new Request(address, { method: "POST", headers: { "Content-Type": type, "Idempotency-Key": key }, body: file }),
  );
  return (await response.json()) as Schemas["ImportOut"];
}

function Preview({ preview }: { preview: FilePreview }) {
  return (
    <div className="flex flex-col gap-2">
      <p className="numeric text-xs text-muted">
        {preview.cut ? `The first ${pluralise(preview.read, "row")} were looked at` : pluralise(preview.read, "row")}
        {preview.rows.length > 0 && `, ${preview.rows.length} shown`}.
      </p>
      {preview.problems.length > 0 && (
        <div role="alert" className="rounded-md border border-line bg-bad-soft p-2.5 text-sm text-bad">
          <p className="font-medium">The server would refuse this file</p>
          <ul>
            {preview.problems.map((problem) => (
              <li key={`${problem.line} ${problem.detail}`} className="numeric">
                Line {problem.line} {problem.detail}
              </li>
            ))}
          </ul>
        </div>
      )}
      {preview.rows.length > 0 && (
        <div className="rounded-md border border-line">
          <Table aria-label="First rows of the file">
            <TableHead>
              <tr>
                <TableHeader align="right">Line</TableHeader>
                <TableHeader>Input</TableHeader>
                <TableHeader>Expected</TableHeader>
                <TableHeader>Metadata</TableHeader>
              </tr>
            </TableHead>
            <TableBody>
              {preview.rows.map((row) => (
                <TableRow key={row.line}>
                  <TableCell align="right" className="text-muted">
                    {row.line}
                  </TableCell>
                  <TableCell className="max-w-72 truncate">{oneLine(row.input)}</TableCell>
                  <TableCell className="max-w-40 truncate">{oneLine(row.expected) || <span className="text-muted">–</span>}</TableCell>
                  <TableCell className="max-w-48 truncate font-mono text-xs text-muted">{JSON.stringify(row.metadata)}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        </div>
      )}
    </div>
  );
}
