import type { components } from "@/api/schema";

export type FieldProblem = { pointer: string; detail: string };

/** An answer that refuses, as a Problem Details document (RFC 9457). */
export class ApiProblem extends Error {
  readonly status: number;
  /** The last part of the type's address, for example `not-found`. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldProblem[];
  readonly requestId: string | null;
  /** When to come back, where the server says so. */
  readonly retryAfterS: number | null;
  /** Everything the document says; some problems carry members of their own. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(status: number, document: Partial<components["schemas"]["Problem"]>, retryAfterS: number | null) {
    super(document.detail ?? document.title ?? `The server answered ${status}`);
    this.name = "ApiProblem";
    this.status = status;
    this.type = document.type?.split("/").at(-1) ?? "unknown";
    this.title = document.title ?? "The request failed";
    this.detail = document.detail ?? "";
    this.errors = document.errors ?? [];
    this.requestId = document.request_id ?? null;
    this.retryAfterS = retryAfterS;
    this.members = document;
  }
}

/** The server could not be reached at all. */
export class OfflineError extends Error {
  constructor(cause: unknown) {
    super("The server cannot be reached", { cause });
    this.name = "OfflineError";
  }
}

/** Whether asking the same thing again may be answered. */
export function isPassing(error: unknown): boolean {
  if (error instanceof OfflineError) return true;
  return error instanceof ApiProblem && (error.status === 429 || error.status === 503 || error.status === 502);
}

export async function problemOf(response: Response): Promise<ApiProblem> {
  const after = Number(response.headers.get("retry-after"));
  const retryAfterS = Number.isFinite(after) && after > 0 ? after : null;
  try {
    return new ApiProblem(response.status, (await response.json()) as Record<string, never>, retryAfterS);
  } catch {
    // Somebody in between answered, in a form of its own.
    return new ApiProblem(response.status, { title: response.statusText || "The request failed" }, retryAfterS);
  }
}
