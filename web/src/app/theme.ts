import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";

// The same name as in index.html, which applies the theme before the first paint.
const KEY = "spectral.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function chosen(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply(): void {
  const theme = chosen();
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "system" && dark.matches));
  for (const listener of listeners) listener();
}

dark.addEventListener("change", apply);
addEventListener("storage", (event) => {
  if (event.key === KEY) apply();
});

export function chooseTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  apply();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, chosen);
}
