import { describe, expect, it } from "vitest";
import { ApiProblem, OfflineError } from "@/api/problems";
import { describeProblem } from "./problem-text";

const problem = (status: number, document = {}, retryAfterS: number | null = null) =>
  describeProblem(new ApiProblem(status, document, retryAfterS));

describe("what a problem says", () => {
  it("keeps what the server named as missing", () => {
    expect(problem(403, { detail: "Needs the scope approve:agents" })).toMatchObject({
      kind: "forbidden",
      detail: "Needs the scope approve:agents",
    });
  });

  it("does not tell apart what is absent and what is another's", () => {
    expect(problem(404, { detail: "Trace t1 not found" }).detail).toBe(
      "Trace t1 not found. It does not exist, or belongs to another workspace.",
    );
  });

  it("points at every wrong place", () => {
    const errors = [{ pointer: "/body/name", detail: "must not be empty" }];
    expect(problem(422, { detail: "1 wrong place", errors })).toMatchObject({ points: errors, detail: "" });
  });

  it("says when to come back, where the server does", () => {
    expect(problem(429, { detail: "Too many requests of this key" }, 12).detail).toBe(
      "Too many requests of this key. Try again in 12 s.",
    );
    expect(problem(503).detail).toBe("It may be upgrading or starting. Try again in a moment.");
    expect(problem(503, {}, 90).detail).toContain("Try again in 1 m 30 s.");
  });

  it("tells a lost connection from a failure of the page itself", () => {
    expect(describeProblem(new OfflineError(null))).toMatchObject({ kind: "offline" });
    expect(describeProblem(new TypeError("x is undefined"))).toMatchObject({ kind: "other", detail: "x is undefined" });
  });
});
