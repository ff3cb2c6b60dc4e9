import { CircleAlert, CloudOff, Lock, RotateCw, Timer } from "lucide-react";
import { ApiProblem } from "@/api/problems";
import { cn } from "./cn";
import { CopyButton } from "./copy-button";
import { describeProblem } from "./problem-text";
import { Button } from "./ui/button";

export interface ProblemNoticeProps {
  error: unknown;
  /** Asks again. */
  retry?: () => void;
  className?: string;
}

/** Why something could not be shown or done, in the words of whoever has to act on it. */
export function ProblemNotice({ error, retry, className }: ProblemNoticeProps) {
  const { title, detail, points, kind } = describeProblem(error);
  const Icon = { offline: CloudOff, forbidden: Lock, wait: Timer, other: CircleAlert }[kind];
  const requestId = error instanceof ApiProblem ? error.requestId : null;
  return (
    <div
      role="alert"
      className={cn("flex min-w-0 items-start gap-2.5 rounded-md border border-line bg-surface p-3 text-sm text-text", className)}
    >
      <Icon aria-hidden className={cn("mt-0.5 size-4 shrink-0", kind === "wait" ? "text-warn" : kind === "other" ? "text-bad" : "text-muted")} />
      <div className="flex min-w-0 flex-1 flex-col gap-1">
        <p className="font-medium">{title}</p>
        {detail && <p className="break-words text-muted">{detail}</p>}
        {points.length > 0 && (
          <ul className="flex list-none flex-col gap-0.5">
            {points.map((point) => (
              <li key={`${point.pointer} ${point.detail}`} className="break-words text-muted">
                {point.pointer && <span className="mr-1.5 font-mono text-xs text-text">{point.pointer}</span>}
                {point.detail}
              </li>
            ))}
          </ul>
        )}
        {requestId && (
          <p className="flex items-center gap-1 text-xs text-muted">
            Request <span className="font-mono break-all">{requestId}</span>
            <CopyButton text={requestId} label="Copy request id" className="size-6" />
          </p>
        )}
      </div>
      {retry && (
        <Button size="sm" onClick={retry}>
          <RotateCw aria-hidden />
          Try again
        </Button>
      )}
    </div>
  );
}
