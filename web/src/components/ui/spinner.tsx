import { LoaderCircle } from "lucide-react";
import { cn } from "../cn";

/** Decorative: the element that waits says so with `aria-busy` or a text of its own. */
export function Spinner({ className }: { className?: string }) {
  return <LoaderCircle aria-hidden className={cn("size-3.5 shrink-0 animate-spin", className)} />;
}
