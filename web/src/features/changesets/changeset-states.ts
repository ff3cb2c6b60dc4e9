import type { Schemas } from "@/api/client";

export type ChangesetState = Schemas["ChangesetState"];

export const CHANGESET_STATES = [
  "proposed",
  "validating",
  "validated",
  "refuted",
  "inconclusive",
  "accepted",
  "applied",
  "rolled_back",
  "rejected",
  "superseded",
] as const satisfies readonly ChangesetState[];

/** Nobody has accepted or closed it. The ones that can be accepted as they are come first. */
export const TO_REVIEW = ["validated", "inconclusive", "refuted", "proposed", "validating"] as const;
export const LIVE = ["accepted", "applied"] as const;
export const CLOSED = ["rolled_back", "rejected", "superseded"] as const;

export type Action = "accept" | "override" | "look" | "reject" | "apply" | "rollback";

const ACTIONS: Record<ChangesetState, readonly Action[]> = {
  proposed: ["look", "override", "reject"],
  validating: ["reject"],
  validated: ["accept", "reject"],
  refuted: ["override", "reject"],
  inconclusive: ["look", "override", "reject"],
  accepted: ["apply", "rollback"],
  applied: ["rollback"],
  rolled_back: [],
  rejected: [],
  superseded: [],
};

/** What can be done to a change set in this state; the server has the last word. */
export function actionsIn(state: ChangesetState): readonly Action[] {
  return ACTIONS[state];
}
