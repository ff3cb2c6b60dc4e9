import createFetchClient from "openapi-fetch";
import createQueryHooks from "openapi-react-query";
import { OfflineError, problemOf } from "@/api/problems";
import type { components, paths } from "@/api/schema";
import { session } from "@/api/session";
import { stepUp } from "@/api/step-up";

export type Schemas = components["schemas"];

const SIGNING_IN = /^\/api\/v1\/auth\/(login|register|refresh|callback|providers|reset-password)/;

/**
 * `fetch` as whoever is signed in. Throws ApiProblem for every refusal and OfflineError where nobody answers.
 *
 * A refused token is renewed once and the request is sent again, as it is after a second factor that was asked for; a
 * request that is then refused is not ours to make.
 */
export async function authorisedFetch(request: Request): Promise<Response> {
  const open = SIGNING_IN.test(new URL(request.url).pathname);
  // A body can be read once; each attempt needs its own.
  const attempt = (token: string | null): Promise<Response> => send(request.clone(), token);
  const token = open ? null : await session.token();
  let response = await attempt(token);
  if (response.status === 401 && !open) {
    // Somebody else here may have renewed it while this one was on its way.
    const now = await session.token();
    if (now !== token || (await session.renew())) response = await attempt(await session.token());
  }
  if (response.ok || response.status === 304) return response;
  const problem = await problemOf(response);
  if (problem.type !== "step-up-required" || !(await stepUp.ask())) throw problem;
  response = await attempt(await session.token());
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function send(request: Request, token: string | null): Promise<Response> {
  request.headers.set("X-Spectral-Client", "web");
  if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new OfflineError(error);
  }
}

/** The API, typed by its own document. Every call throws instead of answering an error. */
export const http = createFetchClient<paths>({ baseUrl: location.origin, fetch: authorisedFetch });

const hooks = createQueryHooks(http);
// The library keeps the pages of a list under the same key as the list read once, and each breaks on the other's shape.
const useInfiniteQuery: typeof hooks.useInfiniteQuery = (method, path, init, options, queries) =>
  hooks.useInfiniteQuery(method, path, init, { ...options, queryKey: [method, path, init, "pages"] } as typeof options, queries);

/** The same as hooks: `api.useQuery("get", "/api/v1/…", {params})`. */
export const api = { ...hooks, useInfiniteQuery };

/** For the POSTs that create or start something: sent twice, it happens once. One key for each intent of a person. */
export function idempotencyKey(): string {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join("-");
}
