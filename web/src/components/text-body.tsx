import { useLayoutEffect, useRef, useState } from "react";
import { cn } from "./cn";
import { CopyButton } from "./copy-button";
import { formatCount } from "./format";
import { Button } from "./ui/button";

export interface TextBodyProps {
  text: string;
  /** In pixels, until somebody asks for all of it. */
  maxHeight?: number;
  mono?: boolean;
  copy?: boolean;
  className?: string;
}

/** Beyond it, what is hidden is not even laid out. */
const MANY_CHARACTERS = 20_000;

/** A text somebody or something wrote: line breaks kept, never read as markup. */
export function TextBody({ text, maxHeight = 280, mono = false, copy = true, className }: TextBodyProps) {
  const body = useRef<HTMLDivElement>(null);
  const [all, setAll] = useState(false);
  const [overflows, setOverflows] = useState(false);
  useLayoutEffect(() => {
    const element = body.current;
    if (element) setOverflows(element.scrollHeight > maxHeight + 8 || text.length > MANY_CHARACTERS);
  }, [text, maxHeight]);
  const cut = !all && text.length > MANY_CHARACTERS;
  return (
    <div className={cn("group relative min-w-0", className)}>
      <div
        ref={body}
        style={all ? undefined : { maxHeight }}
        className={cn("overflow-hidden text-sm break-words whitespace-pre-wrap", mono && "font-mono text-xs", copy && "pr-8")}
      >
        {cut ? text.slice(0, MANY_CHARACTERS) : text}
      </div>
      {copy && (
        <CopyButton
          text={text}
          label="Copy text"
          className="absolute top-0 right-0 opacity-0 group-focus-within:opacity-100 group-hover:opacity-100"
        />
      )}
      {overflows && (
        <Button variant="link" size="sm" aria-expanded={all} className="mt-1 h-6" onClick={() => setAll(!all)}>
          {all ? "Show less" : `Show all (${formatCount(text.length)} characters)`}
        </Button>
      )}
    </div>
  );
}
