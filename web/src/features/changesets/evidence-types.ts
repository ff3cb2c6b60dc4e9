import type { Schemas } from "@/api/client";

export type Changeset = Schemas["ChangesetOut"];
export type ChangesetDetail = Schemas["ChangesetDetailOut"];
/** One look at a holdout. */
export type Look = Schemas["spectral__domains__changesets__schemas__ValidationOut"];
export type GuardOutcome = Schemas["GuardOut"];
export type LiveGuard = Schemas["PromotionGuardOut"];
export type Change = Schemas["ChangesetDetailOut"]["diff"][number];
export type Effect = Schemas["EffectOut"];
