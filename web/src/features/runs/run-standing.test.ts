import { describe, expect, it } from "vitest";
import { actionsOf } from "./run-standing";
import { RUN_STATUSES } from "./search";

describe("what may be done with a run", () => {
  it("is what its status allows", () => {
    const allowed = Object.fromEntries(RUN_STATUSES.map((status) => [status, [...actionsOf({ status, adapter: "workflow" })].sort().join(" ")]));
    const always = "fork replay restart";
    const open = `fork pause replay restart signal terminate`;
    expect(allowed).toEqual({
      queued: open,
      running: open,
      waiting: open,
      interrupted: open,
      awaiting_input: open,
      pausing: "fork pause replay restart resume signal terminate",
      paused: "fork replay restart resume signal terminate",
      succeeded: `delete ${always}`,
      failed: `delete ${always}`,
      cancelled: `delete ${always}`,
    });
  });

  it("is only to end what belongs to a scan, a validation or an experiment", () => {
    expect([...actionsOf({ status: "running", adapter: "scan" })]).toEqual(["terminate"]);
    expect([...actionsOf({ status: "failed", adapter: "experiment" })]).toEqual([]);
  });
});
