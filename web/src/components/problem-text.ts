import { ApiProblem, type FieldProblem, OfflineError } from "@/api/problems";
import { formatDuration } from "./format";

export interface ProblemText {
  title: string;
  detail: string;
  /** What is wrong where, for a form that was refused. */
  points: readonly FieldProblem[];
  kind: "offline" | "forbidden" | "wait" | "other";
}

export function describeProblem(error: unknown): ProblemText {
  if (error instanceof OfflineError) {
    return {
      title: "The server cannot be reached",
      detail: "Check the connection. Nothing that was saved is affected.",
      points: [],
      kind: "offline",
    };
  }
  if (error instanceof ApiProblem) return describeAnswer(error);
  return {
    title: "Something went wrong in this page",
    detail: error instanceof Error ? error.message : String(error),
    points: [],
    kind: "other",
  };
}

function describeAnswer({ status, title, detail, errors, retryAfterS }: ApiProblem): ProblemText {
  const said = (heading: string, text = detail, kind: ProblemText["kind"] = "other"): ProblemText => ({
    title: heading,
    detail: text,
    points: errors,
    kind,
  });
  switch (status) {
    case 401:
      return said("You are not signed in any more", "Sign in again to go on.", "forbidden");
    case 403:
      return said("You may not do this", detail || "An administrator of the workspace can allow it.", "forbidden");
    case 404:
      return said("Not found", join(detail, "It does not exist, or belongs to another workspace."));
    case 409:
      return said("This conflicts with what is there already", detail || "Reload to see what changed, and try again.");
    case 413:
      return said("Too large", detail);
    case 422:
      return said("Not accepted as it is", errors.length > 0 ? "" : detail);
    case 429:
      return said("Too many requests", join(detail, wait(retryAfterS)), "wait");
    case 502:
    case 504:
      return said("No answer from the server behind the proxy", detail || "It may be starting.", "wait");
    case 503:
      return said("The server cannot answer now", join(detail || "It may be upgrading or starting.", wait(retryAfterS)), "wait");
    default:
      return said(status >= 500 ? "The server failed to answer" : title, detail);
  }
}

function wait(seconds: number | null): string {
  if (seconds === null) return "Try again in a moment.";
  return `Try again in ${seconds < 60 ? `${Math.ceil(seconds)} s` : formatDuration(seconds * 1000)}.`;
}

function join(...sentences: string[]): string {
  return sentences
    .filter(Boolean)
    .map((sentence) => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`))
    .join(" ");
}
