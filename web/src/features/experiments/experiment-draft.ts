import type { Schemas } from "@/api/client";

export interface ArmDraft {
  key: number;
  label: string;
  /** A stored version, or a document that is only tried. */
  kind: "version" | "config";
  version: number | undefined;
  config: string;
}

export interface ExperimentDraft {
  name: string;
  agentId: string | undefined;
  arms: ArmDraft[];
  setId: string | undefined;
  split: "select" | "reflect";
  rubricId: string | undefined;
  objectiveId: string | undefined;
  execution: "agent" | "outputs";
  repeats: string;
  margin: string;
  maxEvaluations: string;
  maxCostUsd: string;
  seed: string;
}

export const MOST_ARMS = 10;
/** A split needs so many items to be compared on. */
export const LEAST_ITEMS = 30;

export function armDraft(key: number, version?: number): ArmDraft {
  return { key, label: version === undefined ? "" : `v${version}`, kind: "version", version, config: "" };
}

export type Problems = Partial<Record<"agent" | "arms" | "set" | "measure", string>>;

export function problemsOf(draft: ExperimentDraft): Problems {
  const problems: Problems = {};
  if (!draft.agentId) problems.agent = "Choose an agent";
  if (!draft.setId) problems.set = "Choose a sample set";
  if (!draft.rubricId && !draft.objectiveId) problems.measure = "Choose a rubric, an objective, or both";
  const labels = draft.arms.map(({ label }) => label.trim());
  if (draft.arms.length < 2) problems.arms = "At least two arms are needed";
  else if (labels.includes("")) problems.arms = "Every arm needs a label";
  else if (new Set(labels).size < labels.length) problems.arms = "Labels must differ";
  else if (draft.arms.some((arm) => arm.kind === "version" && arm.version === undefined)) problems.arms = "Choose a version for every arm";
  else {
    const wrong = draft.arms.find((arm) => arm.kind === "config" && configOf(arm.config) === null);
    if (wrong) problems.arms = `The configuration of ${wrong.label} is not a JSON object`;
  }
  return problems;
}

function configOf(text: string): Schemas["ConfigDocument"] | null {
  try {
    const found: unknown = JSON.parse(text);
    // The server judges what is in it.
    return typeof found === "object" && found !== null && !Array.isArray(found) ? (found as Schemas["ConfigDocument"]) : null;
  } catch {
    return null;
  }
}

/** What is sent; only of a draft without problems. */
export function bodyOf(draft: ExperimentDraft): Schemas["ExperimentIn"] {
  return {
    name: draft.name.trim() || null,
    agent_id: draft.agentId ?? "",
    arms: draft.arms.map((arm) => ({
      label: arm.label.trim(),
      ...(arm.kind === "version" ? { version: arm.version } : { config: configOf(arm.config) }),
    })),
    sample_set_id: draft.setId ?? "",
    split: draft.split,
    rubric_id: draft.rubricId || null,
    objective_id: draft.objectiveId || null,
    execution: draft.execution,
    repeats: Number(draft.repeats),
    margin: draft.margin.trim() === "" ? null : Number(draft.margin) / 100,
    seed: Number(draft.seed),
    budget: {
      max_evaluations: draft.maxEvaluations.trim() === "" ? null : Number(draft.maxEvaluations),
      max_cost_usd: draft.maxCostUsd.trim() || null,
    },
  };
}

/** Executions that it takes; null where the split is not known. */
export function executionsOf(draft: ExperimentDraft, items: number | null): number | null {
  return items === null ? null : Math.min(items, 2_000) * draft.arms.length * Math.max(1, Number(draft.repeats) || 1);
}
