import { formatCount, formatInterval, formatPoints, pluralise } from "@/components/format";
import type { LiveGuard } from "./evidence-types";
import { levelText, pointsSize } from "./wording";

/** What the guard of a promotion has found, and what follows from it. */
export function liveGuardSentence(guard: LiveGuard): string {
  const seen = `After ${pluralise(guard.sessions, "session")}`;
  switch (guard.state) {
    case "running":
      return running(guard);
    case "alerting":
      return `${seen} ${finding(guard)}. The holdback stays as it is until somebody rolls the change set back or releases it.`;
    case "rolled_back":
      return guard.finding === "open"
        ? `The change set was rolled back before the guard had decided, after ${pluralise(guard.sessions, "session")}.`
        : `${seen} ${finding(guard)}, and the version before went live for everybody again.`;
    case "released":
      return guard.finding === "open"
        ? `Released by hand before the guard had decided, after ${pluralise(guard.sessions, "session")}: the new version went live for everybody.`
        : `${seen} ${finding(guard)}: the new version went live for everybody.`;
    case "ended":
      return `It ended after ${pluralise(guard.sessions, "session")} without a decision, because another version was promoted.`;
  }
}

function running(guard: LiveGuard): string {
  if (guard.source === null) {
    return "It waits for scores: of an online evaluation of the agent, or feedback from people or trusted keys. Until there are some it decides nothing.";
  }
  const { estimate, low, high, confidence } = guard.effect;
  const between =
    estimate === null
      ? "it has seen no session of one of the versions yet"
      : `the effect is ${formatPoints(estimate)}, its ${levelText(confidence)} interval for all looks together ${formatInterval(low, high, "points")}`;
  return `It is watching: after ${pluralise(guard.sessions, "session")} ${between}. It ends when a regression is confirmed, a loss of more than ${pointsSize(guard.margin)} is excluded, or ${formatCount(guard.horizon)} sessions were counted.`;
}

function finding(guard: LiveGuard): string {
  const { low, high, confidence } = guard.effect;
  const interval = `${levelText(confidence)} interval for all looks together ${formatInterval(low, high, "points")}`;
  switch (guard.finding) {
    case "regression":
      return `a regression is confirmed (${interval})`;
    case "no_regression":
      return `a loss of more than ${pointsSize(guard.margin)} is excluded (${interval})`;
    case "horizon":
      return `neither a regression nor its absence was shown (${interval})`;
    case "uneven":
      return "sessions do not come from the arms in the proportion of their weights, so nothing can be concluded from them";
    case "decline":
      return "scores are below those from before; without a holdback a drift looks the same";
    case "open":
      return "nothing is decided";
  }
}
