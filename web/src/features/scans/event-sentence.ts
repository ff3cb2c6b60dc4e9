import { formatCount, formatInterval, formatPercent, formatPoints, pluralise } from "@/components/format";
import { type ScanEvent, comparisonOf, numberOf, textOf } from "./scan-events";
import { PHASES, failureHelp, strategyLabel } from "./scan-words";

/** One line of the log: what happened, in words, with the numbers that the event carries. */
export function eventSentence({ type, phase, data }: ScanEvent): string {
  const name = PHASES.find((one) => one.name === phase)?.label ?? "";
  switch (type) {
    case "scan.created":
      return `Asked for, on version ${shown(data.base_version)}, seed ${shown(data.seed)}, strategies ${joined(data.strategies)}`;
    case "scan.started":
      return "Started";
    case "scan.paused":
      return "Paused: nothing new begins, what is in flight is recorded";
    case "scan.resumed":
      return `Resumed, was ${shown(data.from)}`;
    case "scan.cancelled":
      return "Cancelled";
    case "scan.completed":
      return `Completed: ${textOf(data.outcome).replaceAll("_", " ")}`;
    case "scan.failed":
      return `Failed: ${textOf(data.detail) || shown(data.type)}. ${failureHelp(textOf(data.type) || null)}`;
    case "scan.phase_started":
      return `${name} began`;
    case "scan.phase_finished":
      return `${name} finished${facts(data)}`;
    case "scan.warning":
      return textOf(data.message);
    case "scan.cluster_found":
      return `Cluster “${textOf(data.label)}”: ${pluralise(numberOf(data.size) ?? 0, "failure")}, ${formatPercent(numberOf(data.share))} of all`;
    case "scan.cluster_diagnosed":
      return `Cluster “${textOf(data.label)}”: fixed ${shown(data.fixed)} of ${shown(data.size)}, broke ${shown(data.broken)}`;
    case "scan.candidate_proposed":
      return `#${shown(data.ordinal)} by ${strategyLabel(textOf(data.strategy))}: ${textOf(data.rationale)}`;
    case "scan.candidate_evaluated": {
      const compared = comparisonOf(data);
      if (!compared) return `#${shown(data.ordinal)} compared`;
      const gain = `${formatPoints(compared.effect)} ${formatInterval(compared.low, compared.high, "points")}`;
      return `#${shown(data.ordinal)} ${gain} on ${pluralise(compared.n, "item")}: ${compared.wins} won, ${compared.losses} lost${compared.beats ? "" : "; does not beat the champion"}`;
    }
    case "scan.candidate_selected":
      return `#${shown(data.ordinal)} chosen for the holdout`;
    case "scan.changeset_proposed":
      return `#${shown(data.ordinal)} became version ${shown(data.candidate_version)} and a change set`;
    case "scan.holdout_asked":
      return `Look ${shown(data.look)} at the holdout: ${pluralise(numberOf(data.items) ?? 0, "item")}, α = ${shown(data.alpha)}`;
    case "scan.holdout_answered":
      return `The holdout says ${shown(data.verdict)}${data.n_more == null ? "" : `; ${shown(data.n_more)} more items would decide`}`;
    default:
      return type.replace(/^scan\./, "").replaceAll("_", " ") + facts(data);
  }
}

function shown(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? formatCount(value) : String(value);
  return typeof value === "string" ? value : "unknown";
}

function joined(value: unknown): string {
  return Array.isArray(value) ? value.map((one) => strategyLabel(String(one))).join(", ") : shown(value);
}

/** The short facts of a phase's end; identifiers tell a reader nothing here. */
function facts(data: Readonly<Record<string, unknown>>): string {
  const told = Object.entries(data).filter(([key, value]) => !key.endsWith("_id") && value !== null && typeof value !== "object");
  if (told.length === 0) return "";
  return `: ${told.map(([key, value]) => `${key.replaceAll("_", " ")} ${typeof value === "boolean" ? (value ? "yes" : "no") : shown(value)}`).join(", ")}`;
}
