import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { http, type Schemas } from "@/api/client";
import type { LiveStep } from "./run-events";

const PAGE = 100;

/** A step with its inputs and outputs, which events carry only in part. It is read again with every change that is told. */
export function useStep(workspaceId: string, runId: string, generation: number, step: LiveStep) {
  return useQuery({
    queryKey: ["run-step", workspaceId, runId, generation, step.id, step.status, step.attempts],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }): Promise<Schemas["StepOut"] | null> => {
      const read = async (offset: number, limit: number) => {
        const params = { path: { workspace_id: workspaceId, run_id: runId }, query: { generation, offset, limit } };
        const answer = await http.GET("/api/v1/workspaces/{workspace_id}/runs/{run_id}/steps", { params, signal });
        return answer.data!.results.find(({ key, iteration }) => key === step.key && iteration === step.iteration) ?? null;
      };
      // Steps are listed in the order in which they began, but those that began together may be told in another one.
      return (await read(step.position, 1)) ?? (await read(Math.max(0, step.position - PAGE / 2), PAGE));
    },
  });
}
