import type { ComponentProps } from "react";
import { cn } from "../cn";
import { CONTROL } from "./control";

export function Input({ className, type = "text", ...rest }: ComponentProps<"input">) {
  return <input type={type} className={cn(CONTROL, "h-8 px-2.5 read-only:bg-sunken", className)} {...rest} />;
}
