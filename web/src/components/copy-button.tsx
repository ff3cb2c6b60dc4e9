import { Check, Copy, X } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "./ui/button";

export interface CopyButtonProps {
  text: string | (() => string);
  /** What is copied: "Copy trace id". */
  label: string;
  /** Shows the label beside the icon. */
  withText?: boolean;
  className?: string;
}

type Outcome = "copied" | "refused" | null;

export function CopyButton({ text, label, withText = false, className }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<Outcome>(null);
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), 1600);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      setOutcome("copied");
    } catch {
      // Browsers allow it on secure pages only.
      setOutcome("refused");
    }
  };
  const Icon = outcome === "copied" ? Check : outcome === "refused" ? X : Copy;
  const said = outcome === "copied" ? "Copied" : outcome === "refused" ? "The browser refused to copy" : label;
  return (
    <>
      <Button
        variant="ghost"
        size={withText ? "sm" : "icon"}
        aria-label={withText ? undefined : label}
        title={withText ? undefined : said}
        onClick={() => void copy()}
        className={className}
      >
        <Icon aria-hidden className={outcome === "copied" ? "text-good" : outcome === "refused" ? "text-bad" : undefined} />
        {withText && said}
      </Button>
      <span role="status" className="sr-only">
        {outcome ? said : ""}
      </span>
    </>
  );
}
