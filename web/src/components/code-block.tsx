import { cn } from "./cn";
import { CopyButton } from "./copy-button";

export interface CodeBlockProps {
  code: string;
  /** Named for screen readers and shown in the corner. */
  language?: string;
  copy?: boolean;
  wrap?: boolean;
  /** In pixels; beyond it the block scrolls. */
  maxHeight?: number;
  className?: string;
}

export function CodeBlock({ code, language, copy = true, wrap = false, maxHeight, className }: CodeBlockProps) {
  return (
    <div className={cn("group relative min-w-0 rounded-md border border-line bg-sunken text-left", className)}>
      <pre
        tabIndex={0}
        role="group"
        aria-label={language ? `Code, ${language}` : "Code"}
        style={{ maxHeight }}
        className={cn(
          "overflow-auto p-2.5 font-mono text-xs text-text",
          copy && "pr-10",
          wrap ? "break-words whitespace-pre-wrap" : "whitespace-pre",
        )}
      >
        <code>{code}</code>
      </pre>
      {copy && <CopyButton text={code} label="Copy code" className="absolute top-1 right-1 bg-sunken" />}
    </div>
  );
}
