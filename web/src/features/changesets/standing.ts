import type { Tone } from "@/components/ui/badge";
import { formatDateTime, formatPercent } from "@/components/format";
import type { ChangesetDetail } from "./evidence-types";

export interface Standing {
  sentence: string;
  tone: Tone;
}

export interface Surroundings {
  /** The version that is live in the target environment; undefined while it is not known, null for none. */
  liveVersion: number | null | undefined;
  nameOf: (actor: string) => string;
}

type Decided = Pick<
  ChangesetDetail,
  | "state"
  | "base_version"
  | "candidate_version"
  | "previous_version"
  | "target_environment"
  | "accepted_at"
  | "accepted_by"
  | "closed_at"
  | "closed_by"
  | "closed_reason"
  | "override_reason"
  | "guard"
>;

/** What people or the platform made of the finding; null while nobody has decided. */
export function standingOf(changeset: Decided, { liveVersion, nameOf }: Surroundings): Standing | null {
  const { state, candidate_version: candidate, target_environment: environment } = changeset;
  const by = (actor: string | null, at: string | null) =>
    `${actor === null ? "" : ` by ${nameOf(actor)}`}${at === null ? "" : ` on ${formatDateTime(at)}`}`;
  const because = changeset.closed_reason ? `: ${changeset.closed_reason.replace(/\.$/, "")}` : "";
  switch (state) {
    case "accepted":
    case "applied": {
      const proof = changeset.override_reason === null ? "" : ` without proof (“${changeset.override_reason}”)`;
      const written = state === "applied" ? " The managed templates say what it says." : "";
      return {
        sentence: `Accepted${by(changeset.accepted_by, changeset.accepted_at)}${proof}. ${whatIsLive(changeset, liveVersion)}${written}`,
        tone: changeset.guard?.state === "alerting" ? "bad" : "good",
      };
    }
    case "rolled_back": {
      const back = changeset.previous_version ?? changeset.base_version;
      return {
        sentence: `Rolled back${by(changeset.closed_by, changeset.closed_at)}; version ${back} went live in ${environment} again${because}.`,
        tone: "bad",
      };
    }
    case "rejected":
      return { sentence: `Rejected${by(changeset.closed_by, changeset.closed_at)}${because}. Version ${candidate} was not promoted.`, tone: "neutral" };
    case "superseded":
      return { sentence: `Superseded${by(null, changeset.closed_at)}${because}. Version ${candidate} was not promoted by this change set.`, tone: "neutral" };
    default:
      return null;
  }
}

function whatIsLive(changeset: Decided, liveVersion: number | null | undefined): string {
  const { candidate_version: candidate, target_environment: environment, guard } = changeset;
  if (liveVersion === undefined) return `Version ${candidate} was promoted to ${environment}.`;
  if (liveVersion === null) return `Nothing is live in ${environment} now.`;
  if (liveVersion !== candidate) return `Version ${liveVersion} is live in ${environment} by now, not version ${candidate}.`;
  const open = guard !== null && (guard.state === "running" || guard.state === "alerting");
  if (open && guard.holdback !== null) {
    const previous = changeset.previous_version ?? changeset.base_version;
    return `Version ${candidate} is live in ${environment} for ${formatPercent(1 - guard.holdback, { digits: 0 })} of the sessions; the others stay with version ${previous} until the guard has decided.`;
  }
  return `Version ${candidate} is live in ${environment} for everybody.`;
}
