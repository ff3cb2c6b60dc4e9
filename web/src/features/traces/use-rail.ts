import { useState } from "react";
import { useMedia } from "@/components/use-media";

const KEY = "spectral.traces.facets";

/** Whether the facets are shown: on a large screen as this browser was left, on a small one when asked for. */
export function useRail(): { open: boolean; toggle: () => void; setOpen: (open: boolean) => void } {
  const wide = useMedia("(min-width: 1024px)");
  const [kept, setKept] = useState(() => localStorage.getItem(KEY) !== "hidden");
  const [over, setOver] = useState(false);
  const open = wide ? kept : over;
  const setOpen = (next: boolean) => {
    if (!wide) {
      setOver(next);
      return;
    }
    setKept(next);
    localStorage.setItem(KEY, next ? "shown" : "hidden");
  };
  return { open, setOpen, toggle: () => setOpen(!open) };
}
