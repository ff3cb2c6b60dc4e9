import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { authorisedFetch } from "@/api/client";
import { ApiProblem, OfflineError } from "@/api/problems";
import { session } from "@/api/session";
import { stepUp } from "@/api/step-up";

const URL_OF_A_THING = new URL("/api/v1/things", location.origin);

type Sent = { path: string; token: string | null; body: string };

function server(answer: (sent: Sent, nth: number) => Response | Promise<Response>): Sent[] {
  const all: Sent[] = [];
  vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
    const request = input instanceof Request ? input : new Request(new URL(input, location.origin), init);
    const sent = {
      path: new URL(request.url).pathname,
      token: request.headers.get("authorization"),
      body: await request.text(),
    };
    all.push(sent);
    return answer(sent, all.length);
  });
  return all;
}

const problem = (status: number, type: string) =>
  new Response(JSON.stringify({ type: `https://spectral.dev/errors/${type}`, status, title: "No", detail: "No." }), {
    status,
    headers: { "Content-Type": "application/problem+json" },
  });
const tokens = (token: string) => new Response(JSON.stringify({ access_token: token, expires_in: 900 }));

beforeEach(() => session.begin({ access_token: "first", expires_in: 900 }));
afterEach(() => vi.unstubAllGlobals());

describe("a request of somebody who is signed in", () => {
  it("renews a refused token once and sends the same body again", async () => {
    const sent = server(({ path, token }) => {
      if (path.endsWith("/auth/refresh")) return tokens("second");
      return token === "Bearer second" ? new Response("{}") : problem(401, "not-authenticated");
    });
    const post = () => authorisedFetch(new Request(URL_OF_A_THING, { method: "POST", body: '{"a":1}' }));
    const answers = await Promise.all([post(), post(), post()]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(sent.filter(({ path }) => path.endsWith("/refresh"))).toHaveLength(1);
    expect(sent.filter(({ token }) => token === "Bearer second").map(({ body }) => body)).toEqual(Array(3).fill('{"a":1}'));
  });

  it("does not renew again what another request has renewed meanwhile", async () => {
    let late: () => void = () => undefined;
    const sent = server(async ({ path, token, body }) => {
      if (path.endsWith("/auth/refresh")) return tokens("second");
      if (token === "Bearer second") return new Response("{}");
      if (body === "late") await new Promise<void>((resolve) => (late = resolve));
      return problem(401, "not-authenticated");
    });
    const post = (body: string) => authorisedFetch(new Request(URL_OF_A_THING, { method: "POST", body }));
    const slow = post("late");
    await post("early");
    late();
    expect((await slow).status).toBe(200);
    expect(sent.filter(({ path }) => path.endsWith("/refresh"))).toHaveLength(1);
  });

  it("waits for the renewal of a page that was left meanwhile", async () => {
    session.begin({ access_token: "old", expires_in: 0 });
    localStorage.setItem("spectral.renewing", String(Date.now()));
    vi.useFakeTimers();
    const sent = server(({ path }) => (path.endsWith("/auth/refresh") ? tokens("second") : new Response("{}")));
    const answer = authorisedFetch(new Request(URL_OF_A_THING));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await answer).status).toBe(200);
    expect(localStorage.getItem("spectral.renewing")).toBeNull();
    vi.useRealTimers();
  });

  it("ends where the session does, and only there", async () => {
    server(() => problem(401, "not-authenticated"));
    await expect(authorisedFetch(new Request(URL_OF_A_THING))).rejects.toMatchObject({ status: 401 });
    expect(session.state).toBe("signed-out");
  });

  it.each([503, 500, 429])("outlives a server that answers the renewal with %i", async (status) => {
    server(({ path }) => (path.endsWith("/auth/refresh") ? problem(status, "unavailable") : problem(401, "not-authenticated")));
    await expect(authorisedFetch(new Request(URL_OF_A_THING))).rejects.toMatchObject({ status });
    expect(session.state).toBe("signed-in");
  });

  it("says when nobody answers", async () => {
    server(() => {
      throw new TypeError("Failed to fetch");
    });
    await expect(authorisedFetch(new Request(URL_OF_A_THING))).rejects.toBeInstanceOf(OfflineError);
    expect(session.state).toBe("signed-in");
  });

  it("waits for a second factor and goes on", async () => {
    const sent = server((_, nth) => (nth === 1 ? problem(403, "step-up-required") : new Response("{}")));
    const answer = authorisedFetch(new Request(URL_OF_A_THING, { method: "POST", body: "x" }));
    await vi.waitFor(() => expect(stepUp.isAsked()).toBe(true));
    stepUp.answer(true);
    expect((await answer).status).toBe(200);
    expect(sent.map(({ body }) => body)).toEqual(["x", "x"]);
  });

  it("is refused where the person shows none", async () => {
    server(() => problem(403, "step-up-required"));
    const answer = authorisedFetch(new Request(URL_OF_A_THING));
    await vi.waitFor(() => expect(stepUp.isAsked()).toBe(true));
    stepUp.answer(false);
    await expect(answer).rejects.toBeInstanceOf(ApiProblem);
    expect(stepUp.isAsked()).toBe(false);
  });
});
