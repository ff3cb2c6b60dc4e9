import { useEffect, useRef, useState } from "react";
import { useWorkspaceId } from "@/api/access";
import { http, type Schemas } from "@/api/client";

type Answer = Schemas["spectral__domains__workflows__definitions__schemas__ValidationOut"];
type Graph = NonNullable<Answer["graph"]>;

/** drawn: the graph of the last text without mistakes. */
export type Validation = Answer & { drawn: Graph | undefined };

const PAUSE_MS = 300;

/** What the server says of a text, asked when nobody has typed for a moment; an answer that is overtaken is dropped. */
export function useValidation(source: string): { validation: Validation | undefined; isStale: boolean; error: unknown } {
  const workspace_id = useWorkspaceId();
  const [state, setState] = useState<{ source: string; answer: Answer; drawn: Graph | undefined } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(
      () => {
        isFirst.current = false;
        http
          .POST("/api/v1/workspaces/{workspace_id}/workflows/validate", {
            params: { path: { workspace_id } },
            body: { source },
            signal: controller.signal,
          })
          .then(({ data }) => {
            const answer = data!;
            setError(null);
            setState((before) => ({ source, answer, drawn: answer.graph ?? before?.drawn }));
          })
          .catch((reason: unknown) => {
            if (!controller.signal.aborted) setError(reason);
          });
      },
      isFirst.current ? 0 : PAUSE_MS,
    );
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [workspace_id, source]);
  return {
    validation: state === null ? undefined : { ...state.answer, drawn: state.drawn },
    isStale: state?.source !== source,
    error,
  };
}
