import { useEffect, useRef } from "react";

export interface HotkeyOptions {
  /** Whether it listens now. */
  when?: boolean;
}

/**
 * Calls `fn` on a key such as "j", "/", "Escape" or "mod+k" (⌘ on a Mac, Ctrl elsewhere). Silent while the person
 * types, while a modal dialog or a menu is open, and when something nearer has taken the key.
 */
export function useHotkey(key: string, fn: (event: KeyboardEvent) => void, { when = true }: HotkeyOptions = {}): void {
  const latest = useRef(fn);
  useEffect(() => {
    latest.current = fn;
  });
  useEffect(() => {
    if (!when) return;
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || !matches(event, key)) return;
      const withModifier = key.includes("mod+");
      if (!withModifier && (isTyping(event.target) || isCovered())) return;
      latest.current(event);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [key, when]);
}

function matches(event: KeyboardEvent, key: string): boolean {
  const steps = key.split("+");
  const wanted = (steps.at(-1) ?? "").toLowerCase();
  if (event.altKey || (event.metaKey || event.ctrlKey) !== steps.includes("mod")) return false;
  if (event.key.toLowerCase() !== wanted) return false;
  // What it takes to write "?" is the keyboard's affair; only a letter says whether Shift is part of the key.
  return !/^[a-z]$/.test(wanted) || event.shiftKey === steps.includes("shift");
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const field = "input:not([type=checkbox], [type=radio]), textarea, select, [role=textbox], [role=combobox]";
  return target.isContentEditable || target.closest(field) !== null;
}

function isCovered(): boolean {
  return document.querySelector("[role=menu], [role=alertdialog], [role=dialog][aria-modal=true]") !== null;
}
