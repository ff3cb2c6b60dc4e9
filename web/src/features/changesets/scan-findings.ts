import type { Schemas } from "@/api/client";

/** What a scan wrote down about its search, as far as the evidence of a change set tells it. */
export interface ScanFindings {
  /** Failures of the agent as it was, by the split that they were seen in. */
  failures: readonly { split: string; items: number; failures: number }[];
  unclustered: { size: number; fixed: number | null; broken: number | null } | null;
  ablations: readonly Ablation[];
}

/** What the winner loses without one of its changes. */
export interface Ablation {
  pointer: string;
  worth: number;
  low: number | null;
  high: number | null;
  n: number | null;
}

/** The results of phases are documents of their own; what they do not say in the expected form is left out. */
export function findingsOf(scan: Pick<Schemas["ScanOut"], "phases">): ScanFindings {
  const phase = (name: string) => recordOf(scan.phases.find((one) => one.name === name)?.result);
  const detect = phase("detect");
  const diagnose = phase("diagnose");
  const failures = ["reflect", "select"].flatMap((split) => {
    const seen = recordOf(detect[split]);
    const items = numberOf(seen.items);
    const failed = numberOf(seen.failures);
    return items === null || failed === null ? [] : [{ split, items, failures: failed }];
  });
  const loose = recordOf(diagnose.unclustered);
  const size = numberOf(loose.size);
  return {
    failures,
    unclustered: size === null ? null : { size, fixed: numberOf(loose.fixed), broken: numberOf(loose.broken) },
    ablations: listOf(diagnose.ablations).flatMap((one) => ablationOf(recordOf(one)) ?? []),
  };
}

function ablationOf(one: Record<string, unknown>): Ablation | null {
  const worth = numberOf(one.worth);
  if (typeof one.pointer !== "string" || worth === null) return null;
  return { pointer: one.pointer, worth, low: numberOf(one.low), high: numberOf(one.high), n: numberOf(one.n) };
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
