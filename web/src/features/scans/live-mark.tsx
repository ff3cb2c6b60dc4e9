import { cn } from "@/components/cn";
import { pluralise } from "@/components/format";
import { describeProblem } from "@/components/problem-text";
import type { StreamState } from "@/api/sse";

/** Whether what is shown is of now, said quietly: a stream that broke off comes back by itself. */
export function LiveMark({ stream, lastSeq, error }: { stream: StreamState | null; lastSeq: number; error: unknown }) {
  const events = pluralise(lastSeq, "event");
  const [tone, text] =
    stream === null || stream === "ended"
      ? ["bg-line-strong", `Ended · ${events}`]
      : stream === "open"
        ? ["bg-good", `Live · ${events}`]
        : stream === "refused"
          ? ["bg-bad", `Not live: ${describeProblem(error).title.toLowerCase()} · ${events}`]
          : lastSeq > 0
            ? ["bg-warn", `Reconnecting; goes on from event ${lastSeq}`]
            : ["bg-line-strong", "Connecting"];
  return (
    <span role="status" className="numeric inline-flex items-center gap-1.5 text-xs">
      <span aria-hidden className={cn("size-1.5 rounded-full", tone)} />
      {text}
    </span>
  );
}
