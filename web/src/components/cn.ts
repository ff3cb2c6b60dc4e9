import { type ClassValue, clsx } from "clsx";
import { extendTailwindMerge } from "tailwind-merge";

// Without their names, `text-2xs` would count as a colour and `shadow-float` as a shadow colour, and be dropped.
const merge = extendTailwindMerge({ extend: { theme: { text: ["2xs"], shadow: ["float"] } } });

export function cn(...classes: ClassValue[]): string {
  return merge(clsx(classes));
}
