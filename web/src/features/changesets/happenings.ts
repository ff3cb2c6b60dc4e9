import { formatInterval, formatPercent, formatPoints } from "@/components/format";
import type { ChangesetDetail, Look } from "./evidence-types";
import { levelText } from "./wording";

export interface Happening {
  id: string;
  at: string;
  /** As the API names it. */
  status: string;
  what: string;
  by: string | null;
  detail: string | null;
}

/** What a change set's own facts say about its past, the newest first. */
export function happeningsOf(changeset: ChangesetDetail, looks: readonly Look[]): Happening[] {
  const { guard, candidate_version: candidate, target_environment: environment } = changeset;
  const all: Happening[] = [
    {
      id: "proposed",
      at: changeset.created_at,
      status: "proposed",
      what: `version ${candidate} in place of version ${changeset.base_version}`,
      by: changeset.created_by,
      detail: null,
    },
    ...looks.map((look) => ({
      id: `look ${look.id}`,
      at: look.finished_at ?? look.created_at,
      status: look.verdict ?? look.status,
      what: `look ${look.look} of ${look.looks_planned} at the holdout`,
      by: look.requested_by,
      detail: look.effect
        ? `${formatPoints(look.effect.mean)} ${formatInterval(look.effect.low, look.effect.high, "points")} at ${levelText(look.effect.confidence)}, n = ${look.n ?? "unknown"}`
        : (look.failure?.detail ?? null),
    })),
  ];
  if (changeset.accepted_at !== null) {
    all.push({
      id: "accepted",
      at: changeset.accepted_at,
      status: "accepted",
      what: `version ${candidate} went live in ${environment}`,
      by: changeset.accepted_by,
      detail: accepted(changeset),
    });
  }
  if (changeset.applied_at !== null) {
    all.push({ id: "applied", at: changeset.applied_at, status: "applied", what: "written into the managed templates", by: null, detail: null });
  }
  if (guard?.alerted_at) {
    all.push({ id: "alerted", at: guard.alerted_at, status: "alerting", what: "the guard asked for a decision", by: null, detail: guard.reason });
  }
  if (guard?.finished_at && guard.state !== "rolled_back") {
    all.push({ id: "guard", at: guard.finished_at, status: guard.state, what: "the guard ended", by: guard.finished_by, detail: guard.reason });
  }
  if (changeset.closed_at !== null) {
    all.push({
      id: "closed",
      at: changeset.closed_at,
      status: changeset.state,
      what:
        changeset.state === "rolled_back"
          ? `version ${changeset.previous_version ?? changeset.base_version} went live in ${environment} again`
          : `version ${candidate} is not promoted by it`,
      by: changeset.closed_by,
      detail: changeset.closed_reason,
    });
  }
  return all.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

function accepted({ override_reason: reason, guard }: ChangesetDetail): string | null {
  const held = guard && guard.holdback !== null ? `Holdback ${formatPercent(guard.holdback, { digits: 0 })} of the sessions.` : null;
  const said = reason === null ? null : `Without proof: ${reason}`;
  return [said, held].filter((part) => part !== null).join(" ") || null;
}
