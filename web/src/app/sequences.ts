import { useEffect, useRef } from "react";
import { type Destination, NAVIGATION } from "@/app/navigation";

const WITHIN_MS = 900;
const WRITING = "input, textarea, select, [contenteditable='true'], .cm-editor, [role='textbox']";

/** `g` and then a letter goes to a page, as in the title of each link; not while somebody writes. */
export function useSequences(go: (to: Destination["to"]) => void): void {
  const latest = useRef(go);
  useEffect(() => {
    latest.current = go;
  });
  useEffect(() => {
    let begun = 0;
    const listen = (event: KeyboardEvent): void => {
      const target = event.target;
      if (event.metaKey || event.ctrlKey || event.altKey) return;
      if (target instanceof Element && (target.closest(WRITING) !== null || target.closest("[role='dialog']") !== null)) {
        return;
      }
      if (event.key === "g") {
        begun = event.timeStamp;
        return;
      }
      if (begun === 0 || event.timeStamp - begun > WITHIN_MS) return;
      begun = 0;
      const found = NAVIGATION.flatMap((group) => group.destinations).find((one) => one.keys === `g ${event.key}`);
      if (found === undefined) return;
      event.preventDefault();
      latest.current(found.to);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}
