import type { Schemas } from "@/api/client";

type Status = Schemas["RunStatus"];

export type RunAction = "pause" | "resume" | "signal" | "terminate" | "restart" | "fork" | "replay" | "delete";

const FINAL: ReadonlySet<Status> = new Set<Status>(["succeeded", "failed", "cancelled"]);
const PAUSABLE: ReadonlySet<Status> = new Set<Status>(["queued", "running", "waiting", "interrupted", "awaiting_input", "pausing"]);
const PLATFORM: ReadonlySet<string> = new Set(["scan", "validation", "experiment", "replica-check"]);

export function hasEnded(status: Status): boolean {
  return FINAL.has(status);
}

/** Whether the platform runs it for a scan, a validation or an experiment, which have pages and actions of their own. */
export function isPlatformRun({ adapter }: Pick<Schemas["RunOut"], "adapter">): boolean {
  return PLATFORM.has(adapter);
}

/** What may be done with a run as it stands; the server refuses everything else. */
export function actionsOf(run: Pick<Schemas["RunOut"], "status" | "adapter">): ReadonlySet<RunAction> {
  const open = !hasEnded(run.status);
  const actions = new Set<RunAction>();
  if (open) actions.add("terminate");
  if (isPlatformRun(run)) return actions;
  if (PAUSABLE.has(run.status)) actions.add("pause");
  if (run.status === "paused" || run.status === "pausing") actions.add("resume");
  actions.add(open ? "signal" : "delete");
  for (const always of ["restart", "fork", "replay"] as const) actions.add(always);
  return actions;
}
