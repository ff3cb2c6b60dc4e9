import { useState } from "react";
import { formatDateTime } from "@/components/format";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Popover } from "@/components/ui/popover";
import { CalendarRange } from "lucide-react";
import { RANGES, type Range } from "@/features/traces/search";

export const RANGE_LABELS: Record<Range, string> = {
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "6h": "Last 6 hours",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
};

export interface SpanOfTime {
  range?: Range;
  from?: string;
  to?: string;
}

function labelOf({ range, from, to }: SpanOfTime): string {
  if (range) return RANGE_LABELS[range];
  if (from && to) return `${formatDateTime(from)} – ${formatDateTime(to)}`;
  if (from) return `Since ${formatDateTime(from)}`;
  return to ? `Until ${formatDateTime(to)}` : "All time";
}

export function RangeSelect({ value, onChange }: { value: SpanOfTime; onChange: (value: SpanOfTime) => void }) {
  const [open, setOpen] = useState(false);
  const choose = (next: SpanOfTime) => {
    onChange(next);
    setOpen(false);
  };
  return (
    <Popover
      label="Time range"
      align="end"
      open={open}
      onOpenChange={setOpen}
      className="w-64"
      trigger={
        <Button aria-label={`Time range: ${labelOf(value)}`}>
          <CalendarRange aria-hidden />
          {labelOf(value)}
        </Button>
      }
    >
      <ul className="-m-1.5 flex flex-col">
        {[undefined, ...RANGES].map((range) => (
          <li key={range ?? "all"}>
            <Button
              variant="ghost"
              size="sm"
              aria-pressed={value.range === range && !value.from && !value.to}
              className="w-full justify-start aria-pressed:bg-selected aria-pressed:text-text"
              onClick={() => choose({ range })}
            >
              {range ? RANGE_LABELS[range] : "All time"}
            </Button>
          </li>
        ))}
      </ul>
      <CustomRange key={`${value.from}-${value.to}`} value={value} onApply={choose} />
    </Popover>
  );
}

function CustomRange({ value, onApply }: { value: SpanOfTime; onApply: (value: SpanOfTime) => void }) {
  const [from, setFrom] = useState(localTime(value.from));
  const [to, setTo] = useState(localTime(value.to));
  const wrong = from !== "" && to !== "" && from >= to;
  return (
    <form
      className="mt-3 flex flex-col gap-2 border-t border-line pt-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (!wrong) onApply({ from: instant(from), to: instant(to) });
      }}
    >
      <Field label="From">
        {(control) => <Input {...control} type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} />}
      </Field>
      <Field label="To" error={wrong ? "Must be after the beginning" : undefined}>
        {(control) => <Input {...control} type="datetime-local" value={to} onChange={(event) => setTo(event.target.value)} />}
      </Field>
      <Button type="submit" size="sm" disabled={wrong || (from === "" && to === "")}>
        Apply
      </Button>
    </form>
  );
}

/** What an input of this kind takes: the local time, without a zone. */
function localTime(at: string | undefined): string {
  if (!at) return "";
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function instant(local: string): string | undefined {
  return local === "" ? undefined : new Date(local).toISOString();
}
