import type { StreamState } from "@/api/sse";
import { cn } from "@/components/cn";
import { formatCount, pluralise } from "@/components/format";
import { describeProblem } from "@/components/problem-text";

/**
 * Whether what is shown is of now: a stream that broke off comes back by itself, from where it was.
 * known: the last event that the run is known to have. ended: nothing follows it, whatever the stream still asks the server.
 */
export function RunLive({ stream, lastSeq, error, known, ended }: { stream: StreamState; lastSeq: number; error: unknown; known: number; ended: boolean }) {
  const [tone, text] = said(ended && lastSeq >= known ? "ended" : stream, lastSeq, error, known);
  return (
    <span role="status" className="numeric inline-flex items-center gap-1.5 text-xs">
      <span aria-hidden className={cn("size-1.5 rounded-full", tone)} />
      {text}
    </span>
  );
}

function said(stream: StreamState, lastSeq: number, error: unknown, known: number): [tone: string, text: string] {
  const events = pluralise(lastSeq, "event");
  if (stream === "ended") return ["bg-line-strong", `Ended · ${events}`];
  if (stream === "open" && lastSeq < known) return ["bg-info", `Reading: ${formatCount(lastSeq)} of ${pluralise(known, "event")}`];
  if (stream === "open") return ["bg-good", `Live · ${events}`];
  if (stream === "refused") return ["bg-bad", `Not live: ${describeProblem(error).title.toLowerCase()} · ${events}`];
  return lastSeq > 0 ? ["bg-warn", `Reconnecting; goes on from event ${lastSeq}`] : ["bg-line-strong", "Connecting"];
}
