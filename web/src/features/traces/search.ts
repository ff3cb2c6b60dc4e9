/** What the addresses of these pages may say after the `?`. */

import { choiceParam, flagParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

export const RANGES = ["15m", "1h", "6h", "24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];

/** Which traces. A span of time is either a range before now or the two ends of one, as RFC 3339. */
export type TraceNarrowing = { q?: string; filter?: string; range?: Range; from?: string; to?: string };

/** peek: the trace in the panel. span: what is selected in it. */
export type TraceListSearch = TraceNarrowing & { sort?: string; peek?: string; span?: string; tab?: SpanTab };

export const SPAN_TABS = ["content", "attributes", "events", "feedback", "scores"] as const;
export type SpanTab = (typeof SPAN_TABS)[number];

function narrowing(raw: Raw): TraceNarrowing {
  return {
    q: textParam(raw, "q"),
    filter: textParam(raw, "filter"),
    range: choiceParam(raw, "range", RANGES),
    from: timeParam(raw, "from"),
    to: timeParam(raw, "to"),
  };
}

function timeParam(raw: Raw, key: string): string | undefined {
  const text = textParam(raw, key);
  return text !== undefined && !Number.isNaN(Date.parse(text)) ? text : undefined;
}

export function traceListSearch(raw: Raw): TraceListSearch {
  return {
    ...narrowing(raw),
    sort: textParam(raw, "sort"),
    peek: textParam(raw, "peek"),
    span: textParam(raw, "span"),
    tab: choiceParam(raw, "tab", SPAN_TABS),
  };
}

/** find: what is searched in the tree. kinds: of spans that are shown, with commas. */
export type TraceDetailSearch = { span?: string; tab?: SpanTab; find?: string; kinds?: string; errors?: true };

export function traceDetailSearch(raw: Raw): TraceDetailSearch {
  return {
    span: textParam(raw, "span"),
    tab: choiceParam(raw, "tab", SPAN_TABS),
    find: textParam(raw, "find"),
    kinds: textParam(raw, "kinds"),
    errors: flagParam(raw, "errors"),
  };
}

export const GROUPINGS = ["sessions", "users"] as const;
export type Grouping = (typeof GROUPINGS)[number];

export type SessionListSearch = { by?: Grouping; range?: Range; sort?: string; q?: string };

export function sessionListSearch(raw: Raw): SessionListSearch {
  return {
    by: choiceParam(raw, "by", GROUPINGS),
    range: choiceParam(raw, "range", RANGES),
    sort: textParam(raw, "sort"),
    q: textParam(raw, "q"),
  };
}
