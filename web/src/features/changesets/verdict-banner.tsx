import { cn } from "@/components/cn";
import { Badge, type Tone } from "@/components/ui/badge";
import type { Standing } from "./standing";
import type { Finding } from "./verdict-sentence";

export interface VerdictBannerProps {
  finding: Finding;
  standing: Standing | null;
}

const EDGE: Record<Tone, string> = {
  good: "border-l-good",
  bad: "border-l-bad",
  warn: "border-l-warn",
  info: "border-l-info",
  accent: "border-l-accent",
  neutral: "border-l-line-strong",
};

/** What the holdout says and what was made of it, in one exact sentence each. */
export function VerdictBanner({ finding, standing }: VerdictBannerProps) {
  return (
    <div
      role="status"
      className={cn(
        "flex flex-col gap-2 rounded-md border border-l-4 border-line bg-surface px-3 py-2.5",
        EDGE[standing?.tone ?? finding.tone],
      )}
    >
      {standing && <p className="max-w-5xl text-sm break-words">{standing.sentence}</p>}
      <div className="flex flex-wrap items-start gap-x-2 gap-y-1 sm:flex-nowrap">
        <Badge tone={finding.tone} className="mt-px">
          {finding.lead}
        </Badge>
        <p className={cn("numeric max-w-5xl min-w-0 text-sm break-words", standing && "text-muted")}>{finding.sentence}</p>
      </div>
    </div>
  );
}
