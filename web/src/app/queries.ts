import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiProblem, isPassing } from "@/api/problems";
import { profileQuery } from "@/api/access";

const ATTEMPTS = 4;
const LONGEST_WAIT_MS = 30_000;

export function makeQueryClient(): QueryClient {
  // Whoever is told that a scope is lacking has other rights than the page believed.
  const onError = (error: unknown): void => {
    if (error instanceof ApiProblem && error.status === 403) void queries.invalidateQueries(profileQuery);
  };
  const queries = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) => failures < ATTEMPTS && isPassing(error),
        retryDelay: (failures, error) =>
          Math.min(
            error instanceof ApiProblem && error.retryAfterS !== null ? error.retryAfterS * 1000 : 500 * 2 ** failures,
            LONGEST_WAIT_MS,
          ),
        // What cannot be reached is said; a request is not held back until the browser believes to be online.
        networkMode: "always",
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
  return queries;
}
