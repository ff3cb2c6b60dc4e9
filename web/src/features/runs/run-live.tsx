import type { StreamState } from "@/api/sse";
import { cn } from "@/components/cn";
import { pluralise } from "@/components/format";
import { describeProblem } from "@/components/problem-text";

/** Whether what is shown is of now: a stream that broke off comes back by itself, from where it was. */
export function RunLive({ stream, lastSeq, error }: { stream: StreamState; lastSeq: number; error: unknown }) {
  const [tone, text] = said(stream, lastSeq, error);
  return (
    <span role="status" className="numeric inline-flex items-center gap-1.5 text-xs">
      <span aria-hidden className={cn("size-1.5 rounded-full", tone)} />
      {text}
    </span>
  );
}

function said(stream: StreamState, lastSeq: number, error: unknown): [tone: string, text: string] {
  const events = pluralise(lastSeq, "event");
  if (stream === "ended") return ["bg-line-strong", `Ended · ${events}`];
  if (stream === "open") return ["bg-good", `Live · ${events}`];
  if (stream === "refused") return ["bg-bad", `Not live: ${describeProblem(error).title.toLowerCase()} · ${events}`];
  return lastSeq > 0 ? ["bg-warn", `Reconnecting; goes on from event ${lastSeq}`] : ["bg-line-strong", "Connecting"];
}
