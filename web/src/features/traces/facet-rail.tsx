import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { Schemas } from "@/api/client";
import { cn } from "@/components/cn";
import { formatCount, formatNumber } from "@/components/format";
import { Checkbox } from "@/components/ui/checkbox";
import { Skeleton } from "@/components/ui/skeleton";
import type { FilterToken } from "@/features/traces/filter-expression";
import { fieldNamed, valuesOf, withValues } from "@/features/traces/filter-input";
import { FACET_FIELDS } from "@/features/traces/filter-suggestions";

/** In this order; a facet without values is left out. */
const FACETS: [facet: string, label: string][] = [
  ["status", "Status"],
  ["agent_id", "Agent"],
  ["agent_version", "Version"],
  ["model", "Model"],
  ["kind", "Span kind"],
  ["tool_name", "Tool"],
  ["error_type", "Error type"],
  ["tag", "Tag"],
  ["mode", "Mode"],
  ["service", "Service"],
  ["operation", "Operation"],
  ["provider", "Provider"],
  ["user_id", "User"],
  ["session_id", "Session"],
];
const OPEN_AT_FIRST = new Set(["status", "agent_id", "agent_version", "model", "tool_name", "error_type", "tag"]);
const FEW = 6;

export interface FacetRailProps {
  filters: Schemas["FiltersOut"] | undefined;
  tokens: readonly FilterToken[];
  names: ReadonlyMap<string, string>;
  onChange: (tokens: FilterToken[]) => void;
}

export function FacetRail({ filters, tokens, names, onChange }: FacetRailProps) {
  if (!filters) {
    return (
      <div role="status" className="flex flex-col gap-3 p-3">
        <span className="sr-only">Loading the filters…</span>
        {Array.from({ length: 9 }, (_, at) => (
          <Skeleton key={at} className={at % 3 === 0 ? "w-1/2" : "w-full"} />
        ))}
      </div>
    );
  }
  const scores = Object.entries(filters.scores);
  return (
    <div className="flex flex-col py-1">
      {FACETS.map(([facet, label]) => {
        const field = FACET_FIELDS[facet] ?? facet;
        const chosen = valuesOf(tokens, field);
        const found = filters.facets[facet];
        if ((!found || found.distinct === 0) && chosen.length === 0) return null;
        return (
          <Facet
            key={facet}
            label={label}
            facet={found ?? { distinct: 0, values: [] }}
            chosen={chosen}
            names={names}
            openAtFirst={OPEN_AT_FIRST.has(facet) || chosen.length > 0}
            onChoose={(values) => onChange(withValues(tokens, fieldNamed(filters.fields, field) ?? field, values))}
          />
        );
      })}
      {scores.length > 0 && (
        <section className="border-t border-line px-3 py-2" aria-label="Scores">
          <h2 className="text-xs font-medium">Scores</h2>
          <ul className="mt-1 flex flex-col">
            {scores.map(([name, score]) => (
              <li key={name} className="numeric flex h-6 items-center justify-between gap-2 text-xs">
                <span className="truncate" title={name}>
                  {name}
                </span>
                <span className="shrink-0 text-muted" title={`The mean of ${formatCount(score.traces)} scored traces`}>
                  {formatNumber(score.mean, { digits: 3 })} · n {formatCount(score.traces)}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <p className="border-t border-line px-3 py-2 text-2xs text-muted">
        Counts of {filters.is_sampled ? `the newest ${formatCount(filters.traces)} traces` : `all ${formatCount(filters.traces)} traces`} that fit
        {filters.span_traces < filters.traces && `; of spans, of the newest ${formatCount(filters.span_traces)}`}.
      </p>
    </div>
  );
}

type FacetProps = {
  label: string;
  facet: Schemas["FacetOut"];
  chosen: readonly string[];
  names: ReadonlyMap<string, string>;
  openAtFirst: boolean;
  onChoose: (values: string[]) => void;
};

function Facet({ label, facet, chosen, names, openAtFirst, onChoose }: FacetProps) {
  const [open, setOpen] = useState(openAtFirst);
  const [all, setAll] = useState(false);
  const listed = facet.values.map((one) => one.value);
  // What is chosen stays to be taken back, also where nothing has it any more.
  const absent = chosen.filter((value) => !listed.includes(value)).map((value) => ({ value, count: 0 }));
  const values = [...facet.values, ...absent];
  const shown = all ? values : values.filter((one, at) => at < FEW || chosen.includes(one.value));
  const toggle = (value: string, on: boolean) => onChoose(on ? [...chosen, value] : chosen.filter((other) => other !== value));
  return (
    <section aria-label={label} className="border-b border-line last-of-type:border-b-0">
      <h2>
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex h-8 w-full items-center gap-1.5 px-3 text-left text-xs font-medium hover:bg-hover focus-visible:-outline-offset-2"
        >
          <ChevronRight aria-hidden className={cn("size-3 text-muted", open && "rotate-90")} />
          {label}
          <span className="numeric ml-auto font-normal text-muted">{chosen.length > 0 ? `${chosen.length} chosen` : formatCount(facet.distinct)}</span>
        </button>
      </h2>
      {open && (
        <ul className="flex flex-col pb-2">
          {shown.map(({ value, count }) => (
            <li key={value} className="flex items-center gap-2 pr-3 pl-3 hover:bg-hover">
              <Checkbox
                className="min-w-0 flex-1 [&>label]:flex-1 [&>label]:truncate [&>label]:py-0.5 [&>label]:text-xs"
                label={<span title={value}>{names.get(value) ?? value}</span>}
                checked={chosen.includes(value)}
                onCheckedChange={(on) => toggle(value, on)}
              />
              <span className="numeric text-2xs text-muted">{formatCount(count, { compact: true })}</span>
            </li>
          ))}
          {values.length > FEW && (
            <li className="px-3">
              <button type="button" onClick={() => setAll(!all)} className="h-6 rounded-sm text-xs text-accent hover:underline dark:text-series-1">
                {all ? "Show fewer" : `Show ${formatCount(values.length - shown.length)} more`}
              </button>
              {all && facet.distinct > facet.values.length && (
                <p className="text-2xs text-muted">
                  The {formatCount(facet.values.length)} most frequent of {formatCount(facet.distinct)}; type the others into the bar.
                </p>
              )}
            </li>
          )}
        </ul>
      )}
    </section>
  );
}
