import { useQueryClient } from "@tanstack/react-query";
import { api, type Schemas } from "@/api/client";
import { ApiProblem, type FieldProblem } from "@/api/problems";
import { useIntentKey } from "../intent-key";
import type { Json } from "../config/yaml-write";
import { useAgentPath } from "../use-agent-path";
import { useRef } from "react";
import type { Side } from "./sides";

const INVOKE = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/invoke";
export const INVOCATIONS = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/invocations";

/** One side's run of the agent. */
export function useInvocation() {
  const path = useAgentPath();
  const queries = useQueryClient();
  const keyOf = useIntentKey();
  const turn = useRef(0);
  const invoke = api.useMutation("post", INVOKE, {
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", INVOCATIONS] }),
  });
  const refused: readonly FieldProblem[] =
    invoke.error instanceof ApiProblem ? invoke.error.errors.filter(({ pointer }) => pointer.startsWith("/config")) : [];
  return {
    result: invoke.data,
    isPending: invoke.isPending,
    error: invoke.error,
    /** What is wrong with the draft. */
    refused,
    start: (side: Side, draft: Json, input: Json, seed: number) => {
      turn.current += 1;
      const body: Schemas["InvocationIn"] = {
        input,
        seed,
        version: side.kind === "version" ? side.version : null,
        environment: side.kind === "environment" ? side.environment : null,
        config: side.kind === "draft" ? (draft as Schemas["ConfigDocument"]) : null,
      };
      // Each press is a run of its own, also of the same input.
      const key = keyOf([turn.current, body]);
      invoke.mutate({ params: { path }, headers: { "Idempotency-Key": key }, body });
    },
  };
}

export type InvocationRun = ReturnType<typeof useInvocation>;
