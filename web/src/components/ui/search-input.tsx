import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { cn } from "../cn";
import { Input } from "./input";

export interface SearchInputProps {
  value: string;
  onValueChange: (value: string) => void;
  placeholder?: string;
  label: string;
  /** Waits this long after the last key before it reports. */
  delayMs?: number;
  className?: string;
}

export function SearchInput({ value, onValueChange, placeholder, label, delayMs = 250, className }: SearchInputProps) {
  const [typed, setTyped] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const reported = useRef(value);
  const report = useRef(onValueChange);
  useEffect(() => {
    report.current = onValueChange;
  });

  // A value from outside (the back button, a cleared filter) replaces what is typed; an echo of the own report does not.
  useEffect(() => {
    if (value === reported.current) return;
    reported.current = value;
    setTyped(value);
  }, [value]);

  const tell = (next: string) => {
    if (next === reported.current) return;
    reported.current = next;
    report.current(next);
  };

  useEffect(() => {
    const timer = setTimeout(() => tell(typed), delayMs);
    return () => clearTimeout(timer);
  }, [typed, delayMs]);

  const clear = () => {
    setTyped("");
    tell("");
    input.current?.focus();
  };

  return (
    <div className={cn("relative w-56", className)}>
      <Search aria-hidden className="pointer-events-none absolute top-1/2 left-2.5 size-3.5 -translate-y-1/2 text-muted" />
      <Input
        ref={input}
        type="search"
        role="searchbox"
        aria-label={label}
        placeholder={placeholder ?? label}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") tell(typed);
          if (event.key === "Escape" && typed !== "") {
            event.preventDefault();
            event.stopPropagation();
            clear();
          }
        }}
        className="px-7.5 [&::-webkit-search-cancel-button]:hidden"
      />
      {typed !== "" && (
        <button
          type="button"
          aria-label={`Clear: ${label}`}
          onClick={clear}
          className="absolute top-1/2 right-1 grid size-6 -translate-y-1/2 place-items-center rounded-sm text-muted hover:text-text"
        >
          <X aria-hidden className="size-3.5" />
        </button>
      )}
    </div>
  );
}
