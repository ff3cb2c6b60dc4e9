import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import { authorisedFetch } from "@/api/client";
import { download } from "@/components/download";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";

const FORMATS = [
  { label: "HTML", type: "text/html", ending: "html" },
  { label: "Markdown", type: "text/markdown", ending: "md" },
  { label: "JSON", type: "application/json", ending: "json" },
] as const;

type Format = (typeof FORMATS)[number];

/** The report as the server writes it. It quotes customers' texts, so it stands in a frame that may run nothing. */
export function ScanReport({ workspaceId, scanId, version }: { workspaceId: string; scanId: string; version: string }) {
  const path = `/api/v1/workspaces/${workspaceId}/scans/${scanId}/report`;
  const report = useQuery({
    queryKey: ["scan report", path, version],
    queryFn: async ({ signal }) => (await read(path, "text/html", signal)).text(),
  });
  const [failure, setFailure] = useState<unknown>(null);
  const save = async (format: Format) => {
    setFailure(null);
    try {
      const body = await (await read(path, format.type)).blob();
      download(body, `scan-${scanId}.${format.ending}`);
    } catch (error) {
      setFailure(error);
    }
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-2 sm:px-5">
        <p className="mr-auto text-xs text-muted">One document that needs nothing but itself: send it to whoever decides.</p>
        {FORMATS.map((format) => (
          <Button key={format.label} size="sm" onClick={() => void save(format)}>
            <Download aria-hidden />
            {format.label}
          </Button>
        ))}
      </div>
      {failure !== null && <ProblemNotice error={failure} className="m-3" />}
      {report.error ? (
        <ProblemNotice error={report.error} retry={() => void report.refetch()} className="m-3" />
      ) : report.data === undefined ? (
        <div className="flex flex-col gap-3 p-5">
          <Skeleton className="h-6 w-80" />
          <Skeleton className="h-64 w-full" />
        </div>
      ) : (
        <iframe title="Report of the scan" sandbox="" srcDoc={report.data} className="min-h-0 w-full flex-1 border-0 bg-surface" />
      )}
    </div>
  );
}

async function read(path: string, type: string, signal?: AbortSignal): Promise<Response> {
  return authorisedFetch(new Request(new URL(path, location.origin), { headers: { Accept: type }, signal }));
}
