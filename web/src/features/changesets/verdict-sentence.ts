import type { Tone } from "@/components/ui/badge";
import { formatCount, formatInterval, formatPoints, pluralise } from "@/components/format";
import type { Look } from "./evidence-types";
import { guardName, summariseGuards } from "./guard-wording";
import { enumerate, levelText, pText, pointsSize, sentenceCase } from "./wording";

export interface Finding {
  /** One or two words. */
  lead: string;
  /** What the holdout says, exactly. */
  sentence: string;
  tone: Tone;
}

/** What the last look at the holdout says. holdoutSize: null while it is not known. */
export function findingOf(look: Look | null, holdoutSize: number | null): Finding {
  if (look === null) {
    return {
      lead: "Not tested",
      sentence: "No look at the holdout has been taken. What the search measured on its own samples is no proof.",
      tone: "neutral",
    };
  }
  if (look.status === "queued" || look.status === "running") {
    const repeats = look.repeats > 1 ? `, ${look.repeats} times each` : "";
    return {
      lead: "Being tested",
      sentence: `Look ${look.look} of ${look.looks_planned} measures both configurations on ${pluralise(look.items, "held-out sample")}${repeats}. There is no verdict until it ends.`,
      tone: "info",
    };
  }
  if (look.status === "failed" || look.status === "cancelled") return unfinished(look);
  switch (look.verdict) {
    case "validated":
      return { lead: "Validated", sentence: validated(look), tone: "good" };
    case "refuted":
      return { lead: "Refuted", sentence: refuted(look), tone: "bad" };
    case "inconclusive":
      return { lead: "Inconclusive", sentence: inconclusive(look, holdoutSize), tone: "warn" };
    default:
      return { lead: "No verdict", sentence: "The last look ended without a verdict.", tone: "neutral" };
  }
}

function unfinished(look: Look): Finding {
  const why = look.failure ? `: ${look.failure.detail.replace(/\.$/, "")}` : "";
  return {
    lead: look.status === "failed" ? "Look failed" : "Look cancelled",
    sentence: `Look ${look.look} of ${look.looks_planned} ended without a result${why}. It told nobody anything, and is taken up again under its own number.`,
    tone: "warn",
  };
}

function validated(look: Look): string {
  const effect = look.effect;
  if (!effect) return "The gain was shown on the holdout.";
  const chance = look.p_value === null ? "" : `, the exact test excludes chance (${pText(look.p_value)})`;
  return `The candidate gains ${formatPoints(effect.mean)} on ${pluralise(look.n ?? look.items, "held-out sample")}. The whole ${interval(look)} lies above the minimum effect of ${pointsSize(look.minimum_effect)}${chance}, and ${summariseGuards(look.guards)}.`;
}

function refuted(look: Look): string {
  const said: string[] = [];
  for (const reason of look.reasons) {
    if (reason === "identical_configurations") said.push("Champion and candidate are the same configuration.");
    if (reason === "upper_bound_below_minimum_effect") {
      said.push(
        `The effect is ${points(look)}: the whole ${interval(look)} lies below the minimum effect of ${pointsSize(look.minimum_effect)}.`,
      );
    }
    if (reason === "guard_harm_confirmed") said.push(`${sentenceCase(summariseGuards(look.guards))}.`);
  }
  return said.join(" ") || "The holdout speaks against the candidate.";
}

function inconclusive(look: Look, holdoutSize: number | null): string {
  const doubts = look.reasons.flatMap((reason) => doubt(look, reason) ?? []);
  const why = doubts.length > 0 ? `${sentenceCase(enumerate(doubts))}.` : "The holdout does not decide it.";
  const more = further(look, holdoutSize);
  return more ? `${why} ${more}` : why;
}

function doubt(look: Look, reason: Look["reasons"][number]): string | null {
  switch (reason) {
    case "interval_contains_minimum_effect":
      return `the ${interval(look)} of the effect (${points(look)}, n = ${formatCount(look.n)}) contains the minimum effect of ${pointsSize(look.minimum_effect)}`;
    case "chance_not_excluded_by_exact_test":
      return `the exact test does not exclude chance${look.p_value === null ? "" : ` (${pText(look.p_value)})`}`;
    case "guard_not_shown_to_hold": {
      const unclear = look.guards.filter((guard) => guard.status === "unclear").map((guard) => guardName(guard.name));
      return unclear.length > 0
        ? `${unclear.length === 1 ? "the guard" : "the guards"} on ${enumerate(unclear)} ${unclear.length === 1 ? "is" : "are"} not shown to hold`
        : "a guard is not shown to hold";
    }
    case "too_many_missing":
      return look.missing
        ? `too many results are missing (champion ${formatCount(look.missing.champion)}, candidate ${formatCount(look.missing.challenger)} of ${formatCount(look.items)}; 5 % is the most)`
        : "more than 5 % of an arm's results are missing";
    case "too_few_pairs":
      return `only ${pluralise(look.n ?? 0, "complete pair")} ${look.n === 1 ? "is" : "are"} left, and 30 are the least`;
    case "execution_failed":
      return `the look failed${look.failure ? ` (${look.failure.detail})` : ""}`;
    case "cancelled":
      return "the look was cancelled";
    case "replica":
      return "a replica was measured, which says nothing certain about the agent itself";
    default:
      return null;
  }
}

const NO_SAMPLES_HELP = new Set<string>(["too_many_missing", "execution_failed", "cancelled", "replica"]);

/** What a next look needs, which depends on whether the holdout has items left that were not measured. */
function further(look: Look, holdoutSize: number | null): string {
  if (look.n_more === null) {
    return look.reasons.some((reason) => NO_SAMPLES_HELP.has(reason)) ? "" : "No number of further samples would help.";
  }
  const more = formatCount(look.n_more);
  if (holdoutSize !== null && look.items < holdoutSize) return `The next look measures ${more} more of the holdout's samples.`;
  if (look.reasons.includes("too_few_pairs")) return `At least ${more} more are needed.`;
  if (holdoutSize === null) return `A next look needs ${more} further samples.`;
  return `All ${formatCount(look.items)} samples of the holdout are measured, so the same data cannot say more: a fresh holdout of about ${more} samples would decide it with 80 % probability if the estimate were the truth.`;
}

function points(look: Look): string {
  return look.effect ? formatPoints(look.effect.mean) : "unknown";
}

function interval(look: Look): string {
  const { effect } = look;
  if (!effect) return "interval";
  return `${levelText(effect.confidence)} interval ${formatInterval(effect.low, effect.high, "points")}`;
}
