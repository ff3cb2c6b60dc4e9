import { useState } from "react";
import type { Schemas } from "@/api/client";
import { formatCount } from "@/components/format";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";

type Change = Schemas["ConfigDiffOut"]["changes"][number];

const FEW = 6;
const TONE = { add: "good", remove: "bad", replace: "info" } as const;
const WORD = { add: "added", remove: "removed", replace: "changed" } as const;

/** Which places of a config differ, and how; whole texts are for the view beside. */
export function ChangeList({ changes }: { changes: readonly Change[] }) {
  const [all, setAll] = useState(false);
  if (changes.length === 0) return <p className="text-sm text-muted">Both versions say the same.</p>;
  const shown = all ? changes : changes.slice(0, FEW);
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <ul className="flex min-w-0 flex-col gap-1">
        {shown.map((change) => (
          <li key={`${change.operation} ${change.pointer}`} className="flex min-w-0 items-baseline gap-2 text-xs">
            <Badge tone={TONE[change.operation]}>{WORD[change.operation]}</Badge>
            <span className="max-w-[50%] shrink-0 truncate font-mono" title={change.pointer}>
              {change.pointer || "/"}
            </span>
            <span className="min-w-0 flex-1 truncate text-muted">{gist(change)}</span>
          </li>
        ))}
      </ul>
      {changes.length > FEW && (
        <Button variant="link" size="sm" className="self-start" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${formatCount(changes.length)}`}
        </Button>
      )}
    </div>
  );
}

function gist({ before, after, operation, text_diff: lines }: Change): string {
  if (lines !== null) {
    const body = lines.split("\n").slice(2);
    const added = body.filter((line) => line.startsWith("+")).length;
    const removed = body.filter((line) => line.startsWith("-")).length;
    return `+${formatCount(added)} −${formatCount(removed)} lines`;
  }
  if (operation === "add") return brief(after);
  if (operation === "remove") return brief(before);
  return `${brief(before)} → ${brief(after)}`;
}

function brief(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
