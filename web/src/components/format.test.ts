import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatCost,
  formatCount,
  formatDuration,
  formatInterval,
  formatNumber,
  formatPercent,
  formatPoints,
  formatRelative,
  formatTokens,
  pluralise,
  shortId,
} from "./format";

// Units stand behind a narrow space that does not break.
const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("numbers", () => {
  it("never turns what is unknown into zero", () => {
    for (const format of [formatNumber, formatPercent, formatPoints, formatCost, formatDuration, formatBytes]) {
      expect(format(null)).toBe("unknown");
      expect(format(undefined)).toBe("unknown");
      expect(format(Number.NaN)).toBe("unknown");
    }
    expect(formatCount(null)).toBe("unknown");
    expect(formatTokens(undefined)).toBe("unknown");
  });

  it("keeps the trailing zero of a share, and signs differences with a true minus", () => {
    expect(plain(formatPercent(0.782))).toBe("78.2 %");
    expect(plain(formatPercent(0.5))).toBe("50.0 %");
    expect(formatPoints(0.182)).toBe("+18.2 points");
    expect(formatPoints(0.1825)).toBe("+18.2 points");
    expect(formatPoints("-0.02")).toBe("\u22122.0 points");
    expect(formatPoints(0.01)).toBe("+1.0 point");
    expect(formatPoints(0)).toBe("0.0 points");
    expect(formatPoints(-0.00001)).toBe("0.0 points");
    expect(formatInterval(0.137, 0.23, "points")).toBe("[+13.7, +23.0]");
    expect(formatInterval(0.741, 0.819, "percent")).toBe("[74.1, 81.9]");
  });

  it("shortens counts only from ten thousand on", () => {
    expect(formatCount(1234)).toBe("1,234");
    expect(formatCount(9999, { compact: true })).toBe("9,999");
    expect(formatCount(12_345, { compact: true })).toBe("12.3k");
    expect(formatCount(2_500_000, { compact: true })).toBe("2.5M");
    expect(formatTokens(1)).toBe("1 token");
    expect(pluralise(1, "trace")).toBe("1 trace");
    expect(pluralise(1200, "entry", "entries")).toBe("1,200 entries");
  });

  it("shows two significant digits of small costs, from the API's decimal strings too", () => {
    expect(formatCost("0.001234")).toBe("$0.0012");
    expect(formatCost("0.0000450000")).toBe("$0.000045");
    expect(formatCost(0)).toBe("$0.00");
    expect(formatCost("12.345")).toBe("$12.35");
    expect(formatCost(0.1)).toBe("$0.10");
    expect(formatCost(0.0000001)).toBe("< $0.000001");
    expect(formatCost(-3.5)).toBe("\u2212$3.50");
    expect(formatCost(123_456)).toBe("$123,456");
  });

  it("carries to the next unit instead of writing 1000 ms or 60 s", () => {
    expect(formatDuration(0.4)).toBe("< 1 ms");
    expect(formatDuration(842)).toBe("842 ms");
    expect(formatDuration(999.6)).toBe("1.00 s");
    expect(formatDuration(1240)).toBe("1.24 s");
    expect(formatDuration(9_996)).toBe("10.0 s");
    expect(formatDuration(59_970)).toBe("1 m");
    expect(formatDuration(192_000)).toBe("3 m 12 s");
    expect(formatDuration(3_599_700)).toBe("1 h");
    expect(formatDuration(86_400_000 + 7_200_000)).toBe("1 d 2 h");
    expect(formatBytes(999)).toBe("999 B");
    expect(formatBytes(999_700)).toBe("1 MB");
    expect(formatBytes(1_450)).toBe("1.5 kB");
  });
});

describe("times and names", () => {
  it("says how long ago in both directions, and the date when it is long", () => {
    const now = Date.parse("2026-03-10T12:00:00Z");
    const ago = (seconds: number) => formatRelative(now - seconds * 1000, now);
    expect(ago(3)).toBe("just now");
    expect(ago(180)).toBe("3 min ago");
    expect(ago(3_595)).toBe("1 h ago");
    expect(ago(26 * 3600)).toBe("1 day ago");
    expect(ago(-7200)).toBe("in 2 h");
    expect(ago(40 * 86_400)).toBe("29 Jan 2026");
    expect(formatRelative("not a date", now)).toBe("unknown");
  });

  it("keeps the prefix of an identifier", () => {
    expect(shortId("trc_0192f3a4b5c6d7e8")).toBe("trc_b5c6d7e8");
    expect(shortId("short")).toBe("short");
  });
});
