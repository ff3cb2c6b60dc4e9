import { Search, X } from "lucide-react";
import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";
import type { Schemas } from "@/api/client";
import { cn } from "@/components/cn";
import { FLOATING } from "@/components/ui/control";
import { useHotkey } from "@/components/use-hotkey";
import { type FilterToken, writeFilter, writeTerm } from "@/features/traces/filter-expression";
import { measureOf, readInput } from "@/features/traces/filter-input";
import { type Suggestion, suggest } from "@/features/traces/filter-suggestions";

export interface FilterBarProps {
  tokens: readonly FilterToken[];
  words: string | undefined;
  filters: Schemas["FiltersOut"] | undefined;
  /** Names for ids of agents. */
  names: ReadonlyMap<string, string>;
  onChange: (tokens: FilterToken[], words: string | undefined) => void;
}

const NO_FIELDS: Schemas["FilterFieldOut"][] = [];

/** Tokens, and an input that completes fields and values. Words that name no field are looked for in the text. */
export function FilterBar({ tokens, words, filters, names, onChange }: FilterBarProps) {
  const fields = filters?.fields ?? NO_FIELDS;
  const isMeasure = useMemo(() => measureOf(fields), [fields]);
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const offered = useMemo(() => suggest(text, filters, names), [text, filters, names]);
  const shown = open && offered.length > 0;
  useHotkey("/", (event) => {
    event.preventDefault();
    input.current?.focus();
  });

  const edit = (next: string) => {
    setText(next);
    setActive(-1);
    setOpen(true);
    input.current?.focus();
  };
  const submit = (typed: string) => {
    const reading = readInput(typed, fields);
    if (reading.kind === "unfinished") return;
    setText("");
    setOpen(false);
    setActive(-1);
    const more = [words, reading.words].filter(Boolean).join(" ") || undefined;
    onChange(reading.kind === "words" ? [...tokens] : [...tokens, ...reading.tokens], more);
  };
  const take = (suggestion: Suggestion) => {
    if (suggestion.final) submit(suggestion.insert);
    else edit(suggestion.insert);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((now) => (now + step + offered.length + 1) % (offered.length + 1));
    } else if (event.key === "Tab" && shown && text !== "" && !event.shiftKey) {
      const chosen = offered[Math.max(0, active)];
      if (!chosen) return;
      event.preventDefault();
      take(chosen);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = shown ? offered[active] : undefined;
      if (chosen) take(chosen);
      else submit(text);
    } else if (event.key === "Escape" && (shown || text !== "")) {
      event.stopPropagation();
      if (shown) setOpen(false);
      else setText("");
    } else if (event.key === "Backspace" && text === "") {
      const last = tokens.at(-1);
      if (words !== undefined) {
        onChange([...tokens], undefined);
        edit(words);
      } else if (last) {
        onChange(tokens.slice(0, -1), words);
        edit(sourceOf(last));
      }
    }
  };
  const sourceOf = (token: FilterToken) => (token.kind === "term" ? writeTerm(token, isMeasure) : token.text);
  const something = tokens.length > 0 || words !== undefined;

  return (
    <div
      className="relative min-w-0 flex-1"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <div
        className="flex min-h-8 min-w-0 cursor-text flex-wrap items-center gap-1 rounded-md border border-line-strong/70 bg-surface py-0.5 pr-1 pl-2.5 focus-within:border-accent focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-accent"
        onClick={(event) => {
          if (event.target === event.currentTarget) input.current?.focus();
        }}
      >
        <Search aria-hidden className="size-3.5 shrink-0 text-muted" />
        {tokens.map((token, at) => (
          <Token
            key={`${at}-${sourceOf(token)}`}
            label={token.kind === "term" ? <TermText token={token} names={names} /> : token.text}
            source={sourceOf(token)}
            onEdit={() => {
              onChange(tokens.filter((_, other) => other !== at), words);
              edit(sourceOf(token));
            }}
            onRemove={() => onChange(tokens.filter((_, other) => other !== at), words)}
          />
        ))}
        {words !== undefined && (
          <Token
            label={<span>“{words}”</span>}
            source={`words: ${words}`}
            onEdit={() => {
              onChange([...tokens], undefined);
              edit(words);
            }}
            onRemove={() => onChange([...tokens], undefined)}
          />
        )}
        <input
          ref={input}
          role="combobox"
          aria-label="Filter traces"
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-activedescendant={shown && active >= 0 && active < offered.length ? `${id}-${active}` : undefined}
          aria-autocomplete="list"
          autoComplete="off"
          spellCheck={false}
          value={text}
          placeholder={something ? "" : "Words, or field:value such as status:error, duration_ms:>2s"}
          onFocus={() => setOpen(true)}
          onClick={() => setOpen(true)}
          onChange={(event) => edit(event.target.value)}
          onKeyDown={onKeyDown}
          className="h-6.5 min-w-24 flex-1 bg-transparent text-sm outline-none placeholder:text-muted"
        />
        {something && (
          <button
            type="button"
            aria-label="Clear all filters"
            title="Clear all filters"
            onClick={() => {
              setText("");
              onChange([], undefined);
            }}
            className="grid size-6 place-items-center rounded-sm text-muted hover:bg-hover hover:text-text"
          >
            <X aria-hidden className="size-3.5" />
          </button>
        )}
      </div>
      <ul
        id={`${id}-list`}
        role="listbox"
        aria-label="Suggestions"
        hidden={!shown}
        className={cn(FLOATING, "absolute top-full left-0 mt-1 max-h-80 w-full max-w-xl overflow-y-auto p-1")}
      >
        {offered.map((suggestion, at) => (
          <li
            key={suggestion.insert}
            id={`${id}-${at}`}
            role="option"
            aria-selected={at === active}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => take(suggestion)}
            className={cn("flex h-7 cursor-default items-center gap-3 rounded-sm px-2", at === active ? "bg-hover" : "hover:bg-hover")}
          >
            <span className="min-w-0 truncate font-mono text-xs">{suggestion.label}</span>
            <span className="numeric ml-auto max-w-1/2 shrink-0 truncate text-xs text-muted">{suggestion.hint}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function TermText({ token, names }: { token: Extract<FilterToken, { kind: "term" }>; names: ReadonlyMap<string, string> }) {
  const values = token.values.map((value) => names.get(value) ?? value).join(", ");
  return (
    <>
      <span className="text-muted">
        {token.field} {token.operator}
      </span>
      {values && ` ${values}`}
    </>
  );
}

type TokenProps = { label: React.ReactNode; source: string; onEdit: () => void; onRemove: () => void };

function Token({ label, source, onEdit, onRemove }: TokenProps) {
  return (
    <span className="inline-flex h-6 max-w-full min-w-0 items-center rounded-sm border border-line bg-sunken text-xs">
      <button type="button" onClick={onEdit} title={`${source}: click to edit`} className="h-full min-w-0 truncate rounded-l-sm pr-1 pl-1.5 hover:bg-hover">
        {label}
      </button>
      <button type="button" onClick={onRemove} aria-label={`Remove filter ${source}`} className="grid h-full w-6 shrink-0 place-items-center rounded-r-sm text-muted hover:bg-hover hover:text-text">
        <X aria-hidden className="size-3" />
      </button>
    </span>
  );
}

/** The whole bar as one expression, for links and for what takes a filter. */
export function expressionOf(tokens: readonly FilterToken[], fields: readonly Schemas["FilterFieldOut"][]): string | undefined {
  return writeFilter(tokens, measureOf(fields));
}
