import type { ComponentProps } from "react";
import { cn } from "../cn";
import { CONTROL } from "./control";

export function Textarea({ className, rows = 4, ...rest }: ComponentProps<"textarea">) {
  return <textarea rows={rows} className={cn(CONTROL, "resize-y px-2.5 py-1.5 read-only:bg-sunken", className)} {...rest} />;
}
