import { useSyncExternalStore } from "react";

/** One timer for each pace, however many elements show a time. */
interface Clock {
  now: number;
  listeners: Set<() => void>;
  timer: ReturnType<typeof setInterval> | null;
}

const clocks = new Map<number, Clock>();

function clockOf(everyMs: number): Clock {
  let clock = clocks.get(everyMs);
  if (!clock) {
    clock = { now: Date.now(), listeners: new Set(), timer: null };
    clocks.set(everyMs, clock);
  }
  return clock;
}

function listen(everyMs: number, changed: () => void): () => void {
  const clock = clockOf(everyMs);
  clock.listeners.add(changed);
  if (clock.timer === null) {
    clock.timer = setInterval(() => {
      clock.now = Date.now();
      for (const listener of clock.listeners) listener();
    }, everyMs);
    // Nobody listened for a while: the kept time is old.
    clock.now = Date.now();
  }
  return () => {
    clock.listeners.delete(changed);
    if (clock.listeners.size === 0 && clock.timer !== null) {
      clearInterval(clock.timer);
      clock.timer = null;
    }
  };
}

const subscriptions = new Map<number, (changed: () => void) => () => void>();

function subscriptionOf(everyMs: number) {
  let subscribe = subscriptions.get(everyMs);
  if (!subscribe) {
    subscribe = (changed) => listen(everyMs, changed);
    subscriptions.set(everyMs, subscribe);
  }
  return subscribe;
}

/** The time in milliseconds, again every `everyMs`; all who ask at the same pace share one clock. */
export function useNow(everyMs = 60_000): number {
  return useSyncExternalStore(subscriptionOf(everyMs), () => clockOf(everyMs).now);
}
