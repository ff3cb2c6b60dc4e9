/** Where bars and ticks lie, in shares of the width. */

export interface TimeWindow {
  /** Milliseconds after the trace's start. */
  start: number;
  end: number;
}

export interface Bar {
  left: number;
  width: number;
  /** Goes on beyond an end of the window. */
  cutLeft: boolean;
  cutRight: boolean;
}

/** Null where nothing of the span is in the window. */
export function barOf(offsetMs: number, durationMs: number, window: TimeWindow): Bar | null {
  const span = window.end - window.start;
  const from = offsetMs - window.start;
  const to = from + Math.max(0, durationMs);
  if (span <= 0) return { left: 0, width: 1, cutLeft: false, cutRight: false };
  if (to < 0 || from > span) return null;
  const left = Math.max(0, from) / span;
  return { left, width: Math.min(span, to) / span - left, cutLeft: from < 0, cutRight: to > span };
}

export interface Tick {
  at: number;
  ms: number;
}

/** About `count` steps of 1, 2 or 5 times a power of ten. */
export function ticksOf(window: TimeWindow, count: number): Tick[] {
  const span = window.end - window.start;
  if (!(span > 0) || count < 1) return [{ at: 0, ms: window.start }];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999) ?? 10 * power;
  const ticks: Tick[] = [];
  for (let at = Math.ceil(window.start / step - 1e-9) + 0; at * step <= window.end + step * 1e-6; at += 1) {
    ticks.push({ at: (at * step - window.start) / span, ms: at * step });
  }
  return ticks;
}

/** The whole trace; spans may begin before its root and end after it. */
export function wholeWindow(spans: readonly { offset_ms: number; duration_ms: number }[], durationMs: number): TimeWindow {
  let start = 0;
  let end = Math.max(durationMs, 0);
  for (const span of spans) {
    start = Math.min(start, span.offset_ms);
    end = Math.max(end, span.offset_ms + span.duration_ms);
  }
  return { start, end };
}
