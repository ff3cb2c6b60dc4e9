import { describe, expect, it } from "vitest";
import { type RunEvent, UNBORN, shownStatus, withEvents } from "./run-events";

let seq = 0;

function event(type: string, node: string | null = null, told: Partial<RunEvent> = {}): RunEvent {
  seq += 1;
  const at = new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString();
  return { id: `e${seq}`, seq, generation: 1, type, node, level: null, category: null, started_at: at, ended_at: null, status: null, input: null, output: null, error: null, data: {}, ...told };
}

function life(): RunEvent[] {
  seq = 0;
  return [
    event("run.queued", null, { status: "queued" }),
    event("run.started", null, { status: "running" }),
    event("step.started", "each", { data: { iteration: 1 } }),
    event("step.started", "each[0]/ask", { data: { iteration: 1, attempt: 1 } }),
    event("token", "each[0]/ask", { data: { text: "lost " } }),
    event("step.retrying", "each[0]/ask", { data: { iteration: 1, at: "2026-01-01T00:01:00Z" }, error: { message: "busy" } }),
    event("step.started", "each[0]/ask", { data: { iteration: 1, attempt: 2 } }),
    event("token", "each[0]/ask", { data: { text: "good " } }),
    event("token", "each[0]/ask", { data: { text: "day" } }),
    event("step.completed", "each[0]/ask", { data: { iteration: 1 }, status: "succeeded", ended_at: "2026-01-01T00:02:00Z" }),
    event("step.started", "approve", { data: { iteration: 1, attempt: 1 } }),
    event("interrupt.requested", "approve", { status: "waiting", data: { wait: { type: "interrupt", wake_at: null }, title: "Pay?" } }),
    event("run.interrupted", null, { status: "interrupted" }),
  ];
}

describe("what events say of a run", () => {
  it("tells steps with attempts, waits and the text of the last attempt", () => {
    const { steps, status } = withEvents(UNBORN, life()).generations.get(1)!;
    expect(status).toBe("interrupted");
    expect([...steps.keys()]).toEqual(["each", "each[0]/ask", "approve"]);
    expect(steps.get("each[0]/ask")).toMatchObject({ status: "succeeded", attempts: 2, text: "good day", wait: null, error: null, endedAt: "2026-01-01T00:02:00Z", position: 1 });
    expect(steps.get("approve")).toMatchObject({ status: "waiting", wait: { type: "interrupt", for: "Pay?", until: null } });
    expect(shownStatus(steps.get("approve")!)).toBe("interrupted");
  });

  it("comes to the same in any order, split anyhow and repeated", () => {
    const events = life();
    const whole = withEvents(UNBORN, events);
    expect(withEvents(UNBORN, events.toReversed())).toEqual(whole);
    expect([8, 2, 0, 5, 11, 1, 9, 3, 7, 4, 6, 10, 12].reduce((state, at) => withEvents(state, events.slice(at, at + 2)), UNBORN)).toEqual(whole);
    expect(withEvents(whole, events)).toBe(whole);
  });

  it("holds back what comes after a gap", () => {
    const events = life();
    const state = withEvents(UNBORN, [...events.slice(0, 3), ...events.slice(6)]);
    expect(state.lastSeq).toBe(3);
    expect(state.generations.get(1)!.steps.has("each[0]/ask")).toBe(false);
    expect(withEvents(state, events.slice(3, 6))).toEqual(withEvents(UNBORN, events));
  });

  it("keeps each iteration of a loopback, and gives events without one to the last", () => {
    seq = 0;
    const { steps } = withEvents(UNBORN, [
      event("step.started", "add", { data: { iteration: 1, attempt: 1 } }),
      event("step.completed", "add", { data: { iteration: 1 }, status: "succeeded" }),
      event("edge.looped", "add", { data: { iteration: 2, target: "add" } }),
      event("step.started", "add", { data: { iteration: 2, attempt: 1 } }),
      event("step.waiting", "add", { data: { wait: { type: "event", event: "paid" } }, status: "waiting" }),
    ]).generations.get(1)!;
    expect(steps.get("add")).toMatchObject({ status: "succeeded", wait: null });
    expect(steps.get("add@2")).toMatchObject({ status: "waiting", iteration: 2, wait: { type: "event", for: "paid" } });
    expect(steps.size).toBe(2);
  });

  it("begins anew with a restart, and keeps what was before", () => {
    const events = life();
    const cancelled = event("run.cancelled", null, { status: "cancelled" });
    const again = [event("run.restarted", null, { generation: 2, status: "queued" }), event("step.started", "each", { generation: 2, data: { iteration: 1 } })];
    const { generations } = withEvents(UNBORN, [...events, cancelled, ...again]);
    // Whatever had not ended ended with its run.
    expect(generations.get(1)).toMatchObject({ status: "cancelled", endedAt: cancelled.started_at });
    expect(generations.get(1)!.steps.get("approve")).toMatchObject({ status: "cancelled", wait: null });
    expect(generations.get(2)!.status).toBe("queued");
    expect([...generations.get(2)!.steps.keys()]).toEqual(["each"]);
  });

  it("lets steps in flight stand still while the run is paused", () => {
    seq = 0;
    const begun = [event("step.started", "a", { data: { iteration: 1, attempt: 1 } }), event("run.paused", null, { status: "paused" })];
    const paused = withEvents(UNBORN, begun);
    expect(paused.generations.get(1)!.steps.get("a")!.status).toBe("paused");
    const on = withEvents(paused, [event("run.resumed", null, { status: "queued" })]);
    expect(on.generations.get(1)!.steps.get("a")!.status).toBe("running");
    expect(paused.generations.get(1)!.steps.get("a")!.status).toBe("paused");
  });
});
