import type { Schemas } from "@/api/client";

export type Scale = Schemas["BlindItemOut"]["scale"];

export interface Point {
  /** What is sent as the label. */
  label: string | number;
  text: string;
  /** Pressing it says this; null where the keyboard has too few digits. */
  key: string | null;
}

const DIGITS = 9;

/** The points of a scale, worst first; null where every number between two ends is one. */
export function pointsOf(scale: Scale): Point[] | null {
  if (scale.kind === "labels") {
    const names = Object.entries(scale.labels)
      .sort(([a, low], [b, high]) => low - high || (a < b ? -1 : 1))
      .map(([name]) => name);
    return names.map((name, index) => ({ label: name, text: name, key: index < DIGITS ? String(index + 1) : null }));
  }
  const { minimum = 1, maximum = 5, whole = true } = scale;
  if (!whole) return null;
  const count = maximum - minimum + 1;
  // The digit is the number itself where it can be; otherwise its place.
  const itself = minimum >= 0 && maximum <= DIGITS;
  return Array.from({ length: count }, (_, index) => {
    const number = minimum + index;
    return { label: number, text: String(number), key: itself ? String(number) : index < DIGITS ? String(index + 1) : null };
  });
}

export interface KappaReading {
  words: string;
  tone: "good" | "warn" | "bad";
}

/** Landis and Koch's words (1977), for the bound that one can rely on: the lower one. */
export function kappaReading(low: number | null): KappaReading | null {
  if (low === null) return null;
  if (low >= 0.8) return { words: "almost perfect agreement, at the least", tone: "good" };
  if (low >= 0.6) return { words: "substantial agreement, at the least", tone: "good" };
  if (low >= 0.4) return { words: "moderate agreement, at the least", tone: "warn" };
  if (low >= 0.2) return { words: "fair agreement, at the least", tone: "warn" };
  return { words: "no more than slight agreement can be relied on", tone: "bad" };
}
