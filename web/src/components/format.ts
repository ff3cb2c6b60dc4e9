/**
 * How numbers, times and names are written. Pure, and the same everywhere: what is not known is said, never 0.
 * One locale, so that a number in the page looks like the number in the API's answer.
 */

const LOCALE = "en-US";
const MINUS = "\u2212";
const THIN = "\u202f";

export const UNKNOWN = "unknown";

/** The API gives money and other exact decimals as strings. */
export type Decimal = number | string | null | undefined;

export type Unit = "percent" | "points" | "number";

const formats = new Map<string, Intl.NumberFormat>();

function intl(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALE, options);
    formats.set(key, format);
  }
  return format;
}

function written(value: number, options: Intl.NumberFormatOptions): string {
  // Intl writes a hyphen and, for small negative values, "-0".
  const text = intl({ ...options, signDisplay: options.signDisplay ?? "negative" }).format(value);
  return text.replace("-", MINUS);
}

function numberOf(value: Decimal): number | null {
  if (value === null || value === undefined || value === "") return null;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : null;
}

export interface NumberOptions {
  /** At most this many decimals. */
  digits?: number;
  /** Writes a plus before what is above zero. */
  signed?: boolean;
}

export function formatNumber(value: Decimal, { digits = 2, signed = false }: NumberOptions = {}): string {
  const number = numberOf(value);
  if (number === null) return UNKNOWN;
  return written(number, { maximumFractionDigits: digits, signDisplay: signed ? "exceptZero" : "negative" });
}

export interface CountOptions {
  /** 12,345 becomes 12.3k. */
  compact?: boolean;
}

export function formatCount(value: number | null | undefined, { compact = false }: CountOptions = {}): string {
  const number = numberOf(value);
  if (number === null) return UNKNOWN;
  if (!compact || Math.abs(number) < 10_000) return written(number, { maximumFractionDigits: 0 });
  return written(number, { notation: "compact", maximumFractionDigits: 1 }).replace("K", "k");
}

/** A share from 0 to 1. */
export function formatPercent(share: Decimal, { digits = 1, signed = false }: NumberOptions = {}): string {
  const number = numberOf(share);
  if (number === null) return UNKNOWN;
  return `${percentNumber(number, digits, signed)}${THIN}%`;
}

/** A difference of two shares, in percentage points. */
export function formatPoints(difference: Decimal, { digits = 1 }: NumberOptions = {}): string {
  const number = numberOf(difference);
  if (number === null) return UNKNOWN;
  const text = percentNumber(number, digits, true);
  return `${text} ${/^[+\u2212]?1(\.0+)?$/.test(text) ? "point" : "points"}`;
}

function percentNumber(share: number, digits: number, signed: boolean): string {
  return written(share * 100, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "negative",
    // As the server's reports round, so that both say the same of a gain of 18.25 points.
    roundingMode: "halfEven",
  });
}

/** "[+13.7, +23.0]": the unit stands with the value before it. */
export function formatInterval(low: Decimal, high: Decimal, as: Unit = "number", digits?: number): string {
  return `[${bound(low, as, digits)}, ${bound(high, as, digits)}]`;
}

function bound(value: Decimal, as: Unit, digits?: number): string {
  const number = numberOf(value);
  if (number === null) return UNKNOWN;
  if (as === "number") return formatNumber(number, { digits });
  return percentNumber(number, digits ?? 1, as === "points");
}

export function formatValue(value: Decimal, as: Unit, digits?: number): string {
  if (as === "percent") return formatPercent(value, { digits });
  if (as === "points") return formatPoints(value, { digits });
  return formatNumber(value, { digits });
}

export function formatDuration(ms: Decimal): string {
  const number = numberOf(ms);
  if (number === null) return UNKNOWN;
  if (number < 0) return MINUS + formatDuration(-number);
  if (number < 1) return number === 0 ? "0 ms" : "< 1 ms";
  if (number < 999.5) return `${Math.round(number)} ms`;
  if (number < 9_995) return `${(number / 1000).toFixed(2)} s`;
  if (number < 59_950) return `${(number / 1000).toFixed(1)} s`;
  const seconds = Math.round(number / 1000);
  if (seconds < 3600) return parts(Math.floor(seconds / 60), "m", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return parts(Math.floor(minutes / 60), "h", minutes % 60, "m");
  const hours = Math.round(minutes / 60);
  return parts(Math.floor(hours / 24), "d", hours % 24, "h");
}

function parts(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Small amounts keep two significant digits: most calls of a model cost less than a cent. */
export function formatCost(usd: Decimal): string {
  const number = numberOf(usd);
  if (number === null) return UNKNOWN;
  const size = Math.abs(number);
  const sign = number < 0 ? MINUS : "";
  if (size === 0) return "$0.00";
  if (size < 0.000001) return `< ${sign}$0.000001`;
  if (size >= 10_000) return `${sign}$${written(size, { maximumFractionDigits: 0 })}`;
  const digits = size >= 0.995 ? 2 : Math.max(2, 1 - Math.floor(Math.log10(size)));
  return `${sign}$${written(size, { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

export function formatTokens(count: number | null | undefined): string {
  const number = numberOf(count);
  if (number === null) return UNKNOWN;
  return `${formatCount(number, { compact: true })} ${number === 1 ? "token" : "tokens"}`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

export function formatBytes(bytes: Decimal): string {
  let number = numberOf(bytes);
  if (number === null) return UNKNOWN;
  let unit = 0;
  while (Math.abs(number) >= 999.5 && unit < BYTE_UNITS.length - 1) {
    number /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(number) >= 99.95 ? 0 : 1;
  return `${written(number, { maximumFractionDigits: digits })} ${BYTE_UNITS[unit]}`;
}

export type Instant = string | number | Date;

export interface DateTimeOptions {
  seconds?: boolean;
  /** Adds the name of the time zone: for titles and where times of several people meet. */
  zone?: boolean;
  dateOnly?: boolean;
}

const dates = new Map<string, Intl.DateTimeFormat>();

export function formatDateTime(at: Instant | null | undefined, options: DateTimeOptions = {}): string {
  const date = dateOf(at);
  if (!date) return UNKNOWN;
  const key = JSON.stringify(options);
  let format = dates.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      day: "numeric",
      month: "short",
      year: "numeric",
      ...(options.dateOnly
        ? {}
        : {
            hour: "2-digit",
            minute: "2-digit",
            second: options.seconds ? "2-digit" : undefined,
            timeZoneName: options.zone ? "short" : undefined,
          }),
    });
    dates.set(key, format);
  }
  return format.format(date);
}

/** "3 min ago", "in 2 h"; beyond a week the date itself. */
export function formatRelative(at: Instant | null | undefined, now: Instant = Date.now()): string {
  const date = dateOf(at);
  const present = dateOf(now);
  if (!date || !present) return UNKNOWN;
  const seconds = Math.round((present.getTime() - date.getTime()) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return seconds < -4 ? "in a moment" : "just now";
  if (size < 3570) return sided(Math.max(1, Math.round(size / 60)), "min", seconds);
  if (size < 84_600) return sided(Math.round(size / 3600), "h", seconds);
  const days = Math.round(size / 86_400);
  if (days <= 7) return sided(days, days === 1 ? "day" : "days", seconds);
  return formatDateTime(date, { dateOnly: true });
}

function sided(amount: number, unit: string, seconds: number): string {
  return seconds > 0 ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}

export function dateOf(at: Instant | null | undefined): Date | null {
  if (at === null || at === undefined || at === "") return null;
  const date = at instanceof Date ? at : new Date(at);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** Enough of an identifier to tell two apart; a prefix such as `trc_` stays whole. */
export function shortId(id: string, length = 8): string {
  const prefix = /^[a-z]+_/.exec(id)?.[0] ?? "";
  const rest = id.slice(prefix.length);
  return prefix + (rest.length <= length + 2 ? rest : rest.slice(-length));
}

/** "1 trace", "12 traces". */
export function pluralise(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
