import { useRef } from "react";

/**
 * Puts the focus back where it was before a dialog opened. Radix does that only for dialogs with a trigger of their
 * own; ours are opened by state, often by the URL.
 */
export function useReturnFocus() {
  const before = useRef<HTMLElement | null>(null);
  const grid = useRef<Element | null>(null);
  return {
    onOpenAutoFocus: () => {
      const element = document.activeElement;
      before.current = element instanceof HTMLElement ? element : null;
      grid.current = element?.getAttribute("role") === "row" ? element.closest("[role=grid]") : null;
    },
    onCloseAutoFocus: (event: Event) => {
      event.preventDefault();
      // Beside a panel that is not modal the person may have gone elsewhere already.
      if (document.activeElement !== null && document.activeElement !== document.body) return;
      // A grid may have moved on to another row meanwhile.
      const row = grid.current?.querySelector<HTMLElement>("[role=row][tabindex='0']");
      const target = row ?? before.current;
      if (target?.isConnected) target.focus({ preventScroll: true });
    },
  };
}
