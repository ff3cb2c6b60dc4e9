import type { Schemas } from "@/api/client";

export type ScanStatus = Schemas["ScanStatus"];
export type ScanPhase = Schemas["Phase"];
export type ScanOutcome = Schemas["Outcome"];

export const SCAN_STATUSES = ["queued", "running", "paused", "completed", "failed", "cancelled"] as const satisfies readonly ScanStatus[];

/** The seven phases, in their order, and what each is for. */
export const PHASES: readonly { name: ScanPhase; label: string; does: string }[] = [
  { name: "observe", label: "Observe", does: "Pins the items and checks again that the data can decide" },
  { name: "detect", label: "Detect", does: "Scores the champion on the reflect and select splits" },
  { name: "cluster", label: "Cluster", does: "Groups the champion's failures by what they have in common" },
  { name: "generate", label: "Generate", does: "Strategies search for better configurations on the reflect split" },
  { name: "evaluate", label: "Evaluate", does: "Compares champion and finalists on the select split" },
  { name: "diagnose", label: "Diagnose", does: "What the winner fixes and breaks, and what each change is worth" },
  { name: "safety", label: "Safety", does: "Proposes the winner and asks the holdout" },
];

/** Nothing happens any more unless somebody asks for it. */
export function hasEnded(status: ScanStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

export function outcomeSentence(outcome: ScanOutcome): string {
  return {
    no_improvement: "No candidate was better than the champion on the select split",
    validated: "The holdout shows that the change is better",
    refuted: "The holdout shows that the change is not better",
    inconclusive: "The holdout does not decide",
  }[outcome];
}

const FAILURE_HELP: Record<string, string> = {
  "provider-down": "Resume the scan when the provider answers again; what was answered is kept and not paid for twice.",
  "model-unavailable": "Resume the scan when the reflection model answers again, or start one with another model.",
  "samples-changed": "Start a new scan: items were edited while this one measured them, so its arms cannot be compared.",
  "strategy-failed": "Start a scan without this strategy, or mend the package that brings it and resume.",
  "scan-not-ready": "Add what is missing to the sample set, then start a new scan.",
};

export function failureHelp(type: string | null): string {
  return FAILURE_HELP[type ?? ""] ?? "Resume the scan to begin the phase again that broke; whatever was recorded is kept.";
}

/** What the built-in strategies do; packages may bring others. */
export const STRATEGIES: readonly { name: string; label: string; does: string; needs: string | null }[] = [
  { name: "reflective", label: "Reflective", does: "Rewrites texts from what fails", needs: "text" },
  { name: "few_shot", label: "Few-shot", does: "Chooses examples from the reflect split", needs: "examples" },
  { name: "knobs", label: "Knobs", does: "Turns numbers and choices: model, temperature, tools", needs: null },
  { name: "template", label: "Template", does: "Tries versions of your own; runs alone", needs: null },
];

export function strategyLabel(name: string): string {
  return STRATEGIES.find((one) => one.name === name)?.label ?? { combined: "Combined", prune: "Prune" }[name] ?? name;
}
