import { useState } from "react";
import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { api, type Schemas } from "@/api/client";
import { type ConfigDocument, type ScanDraft } from "./scan-draft";
import type { NewScanSearch } from "./search";

const MOST = 100;

export type ScanChoices = {
  agents: readonly Schemas["AgentOut"][];
  sampleSets: readonly Schemas["SampleSetOut"][];
  objectives: readonly Schemas["ObjectiveOut"][];
  /** The kinds of places that the champion's search space has; null until it is known. */
  searchSpace: readonly string[] | null;
};

export type DraftState = {
  choices: ScanChoices | null;
  draft: ScanDraft;
  change: (next: Partial<ScanDraft>) => void;
  /** The configurations of the chosen versions; null while they are on their way. */
  candidates: readonly ConfigDocument[] | null;
  error: unknown;
  retry: () => void;
};

/** The form's values: what a person chose, and for all else what fits what there is. */
export function useScanDraft(workspaceId: string, search: NewScanSearch): DraftState {
  const path = { workspace_id: workspaceId };
  const page = { params: { path, query: { limit: MOST } } };
  const agents = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents", page);
  const sampleSets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/samples", page);
  const objectives = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/evaluations/objectives", page);
  const [chosen, setChosen] = useState<Partial<ScanDraft>>({
    ...(search.agent ? { agentId: search.agent } : {}),
    ...(search.samples ? { sampleSetId: search.samples } : {}),
    ...(search.objective ? { objectiveId: search.objective } : {}),
  });

  // Where nothing was chosen, the newest scan says what people work on here.
  const agentId = chosen.agentId;
  const latest = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/scans",
    { params: { path, query: { limit: 1, ...(agentId ? { agent_id: agentId } : {}) } } },
    // Read once: what somebody else starts meanwhile must not change what is about to be sent.
    { placeholderData: keepPreviousData, staleTime: Number.POSITIVE_INFINITY, gcTime: 0 },
  );
  const known = latest.data?.results[0];
  const agent = pickAgent(agents.data?.results ?? [], agentId ?? known?.agent_id);
  const environment = chosen.environment ?? environmentOf(agent);
  const version = agent?.live[environment];
  const config = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{version}",
    { params: { path: { ...path, agent_id: agent?.id ?? "", version: version ?? 0 } } },
    { enabled: agent !== undefined && version !== undefined, staleTime: Number.POSITIVE_INFINITY },
  );
  const searchSpace = config.data ? kindsOf(config.data.config) : null;
  const sampleSet = pickSampleSet(sampleSets.data?.results ?? [], known?.sample_set_id);
  const objective = objectives.data?.results.find((one) => one.id === known?.objective_id) ?? objectives.data?.results[0];
  const set = sampleSets.data?.results.find((one) => one.id === (chosen.sampleSetId ?? sampleSet?.id));
  const hasHoldout = set?.holdout != null && set.holdout.retired_at === null;

  const draft: ScanDraft = {
    agentId: agent?.id ?? "",
    environment,
    sampleSetId: sampleSet?.id ?? "",
    objectiveId: objective?.id ?? "",
    rubricId: "",
    mode: set === undefined || hasHoldout ? "full" : "synthetic_only",
    strategies: strategiesFor(searchSpace),
    versions: [],
    maxEvaluations: "",
    maxCostUsd: "",
    repeats: "1",
    reflectionModel: "",
    seed: "",
    ...chosen,
  };

  const versions = useQueries({
    queries: draft.versions.map((one) =>
      api.queryOptions(
        "get",
        "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{version}",
        { params: { path: { ...path, agent_id: draft.agentId, version: one } } },
        { staleTime: Number.POSITIVE_INFINITY },
      ),
    ),
  });
  // The API keeps a version as plain JSON, and takes the same document back.
  const candidates = versions.map((one) => one.data?.config as ConfigDocument | undefined);

  const failed = [agents, sampleSets, objectives, latest].find((one) => one.error !== null);
  const ready = agents.data && sampleSets.data && objectives.data && latest.data;
  return {
    choices: ready ? { agents: agents.data.results, sampleSets: sampleSets.data.results, objectives: objectives.data.results, searchSpace } : null,
    draft,
    change: (next) =>
      setChosen(({ environment: live, versions: own, ...before }) => {
        // Both belong to an agent.
        const kept = next.agentId ? {} : { ...(live ? { environment: live } : {}), ...(own ? { versions: own } : {}) };
        return { ...before, ...kept, ...next };
      }),
    candidates: candidates.every((one) => one !== undefined) ? candidates : null,
    error: failed?.error ?? null,
    retry: () => void failed?.refetch(),
  };
}

function pickAgent(agents: readonly Schemas["AgentOut"][], wanted: string | undefined): Schemas["AgentOut"] | undefined {
  return agents.find((one) => one.id === wanted) ?? agents.find((one) => Object.keys(one.live).length > 0);
}

function environmentOf(agent: Schemas["AgentOut"] | undefined): string {
  const live = Object.keys(agent?.live ?? {});
  return live.includes("production") || live.length === 0 ? "production" : (live[0] ?? "production");
}

/** The one that was used before, else the largest that can decide. */
function pickSampleSet(sets: readonly Schemas["SampleSetOut"][], wanted: string | undefined): Schemas["SampleSetOut"] | undefined {
  const frozen = (one: Schemas["SampleSetOut"]) => Number(one.holdout !== null && one.holdout.retired_at === null);
  return sets.find((one) => one.id === wanted) ?? [...sets].sort((a, b) => frozen(b) - frozen(a) || b.items - a.items)[0];
}

function kindsOf(config: Readonly<Record<string, unknown>>): string[] {
  const space = Array.isArray(config.search_space) ? config.search_space : [];
  return space.flatMap((one: unknown) => (typeof one === "object" && one !== null && "kind" in one && typeof one.kind === "string" ? [one.kind] : []));
}

function strategiesFor(kinds: readonly string[] | null): string[] {
  if (kinds === null) return ["reflective", "few_shot"];
  const fitting = [...(kinds.includes("text") ? ["reflective"] : []), ...(kinds.includes("examples") ? ["few_shot"] : [])];
  return fitting.length > 0 ? fitting : ["knobs"];
}
