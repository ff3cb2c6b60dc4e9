import type { Schemas } from "@/api/client";
import { ApiProblem } from "@/api/problems";

export type ScanRequest = Schemas["ScanIn"];
export type ConfigDocument = Schemas["ConfigDocument"];

/** What stands in the form. Numbers are kept as they are typed. */
export type ScanDraft = {
  agentId: string;
  environment: string;
  sampleSetId: string;
  objectiveId: string;
  /** Only where the objective is for no rubric in particular. */
  rubricId: string;
  mode: "full" | "synthetic_only";
  strategies: readonly string[];
  /** Versions of the agent that the strategy `template` tries. */
  versions: readonly number[];
  maxEvaluations: string;
  maxCostUsd: string;
  repeats: string;
  /** Empty: none. */
  reflectionModel: string;
  seed: string;
};

export type DraftField = keyof ScanDraft;
export type FieldErrors = Partial<Record<DraftField, string>>;

const LARGEST_SEED = Number.MAX_SAFE_INTEGER;

/** What can be told without asking the server. */
export function draftErrors(draft: ScanDraft): FieldErrors {
  const errors: FieldErrors = {};
  if (!draft.agentId) errors.agentId = "Choose an agent";
  if (!draft.sampleSetId) errors.sampleSetId = "Choose a sample set";
  if (!draft.objectiveId) errors.objectiveId = "Choose an objective";
  if (draft.strategies.length === 0) errors.strategies = "Choose at least one strategy";
  if (draft.strategies.includes("template") && draft.versions.length === 0) errors.versions = "Choose at least one version to try";
  if (!isWhole(draft.maxEvaluations, 1, 1_000_000)) errors.maxEvaluations = "A whole number from 1 to 1,000,000, or nothing";
  if (!/^$|^\d{1,9}(\.\d{1,9})?$/.test(draft.maxCostUsd.trim())) errors.maxCostUsd = "An amount such as 5 or 2.50, or nothing";
  if (draft.repeats.trim() === "" || !isWhole(draft.repeats, 1, 10)) errors.repeats = "A whole number from 1 to 10";
  if (!isWhole(draft.seed, 0, LARGEST_SEED)) errors.seed = "A whole number from 0, or nothing";
  return errors;
}

function isWhole(text: string, low: number, high: number): boolean {
  const typed = text.trim();
  return typed === "" || (/^\d+$/.test(typed) && Number(typed) >= low && Number(typed) <= high);
}

/** The request that the draft says; only for one without errors. */
export function requestOf(draft: ScanDraft, candidates: readonly ConfigDocument[]): ScanRequest {
  const template = draft.strategies.includes("template");
  return {
    agent_id: draft.agentId,
    sample_set_id: draft.sampleSetId,
    objective_id: draft.objectiveId,
    target_environment: draft.environment,
    mode: draft.mode,
    strategies: [...draft.strategies],
    repeats: Number(draft.repeats),
    budget: {
      max_evaluations: draft.maxEvaluations.trim() === "" ? null : Number(draft.maxEvaluations),
      max_cost_usd: draft.maxCostUsd.trim() === "" ? null : draft.maxCostUsd.trim(),
    },
    reflection_model: draft.reflectionModel || null,
    ...(draft.rubricId ? { rubric_id: draft.rubricId } : {}),
    ...(draft.seed.trim() === "" ? {} : { seed: Number(draft.seed) }),
    ...(template ? { candidates: [...candidates] } : {}),
  };
}

const FIELDS: Readonly<Record<string, DraftField>> = {
  agent_id: "agentId",
  target_environment: "environment",
  sample_set_id: "sampleSetId",
  objective_id: "objectiveId",
  rubric_id: "rubricId",
  mode: "mode",
  strategies: "strategies",
  candidates: "versions",
  "budget/max_evaluations": "maxEvaluations",
  "budget/max_cost_usd": "maxCostUsd",
  repeats: "repeats",
  reflection_model: "reflectionModel",
  seed: "seed",
};

/** Problems that are about one field whatever their status. */
const BY_TYPE: Readonly<Record<string, DraftField>> = { "budget-too-small": "maxEvaluations", "unpriced-model": "maxCostUsd" };

/** What the server refused, by field, and whether that is all of it. */
export function refusedFields(error: unknown): { fields: FieldErrors; complete: boolean } {
  if (!(error instanceof ApiProblem)) return { fields: {}, complete: false };
  const fields: FieldErrors = {};
  let known = 0;
  for (const { pointer, detail } of error.errors) {
    // In a schedule the scan stands below `request`; an element of a list belongs to the list.
    const path = pointer.replace(/^\/(request\/)?/, "");
    const field = FIELDS[path] ?? FIELDS[path.split("/")[0] ?? ""];
    if (!field) continue;
    fields[field] ??= detail;
    known += 1;
  }
  const single = error.errors.length === 0 ? BY_TYPE[error.type] : undefined;
  if (single) fields[single] = error.detail;
  return { fields, complete: single !== undefined || (error.errors.length > 0 && known === error.errors.length) };
}
