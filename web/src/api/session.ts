import type { components } from "@/api/schema";
import { OfflineError, problemOf } from "@/api/problems";

type Tokens = Pick<components["schemas"]["TokensOut"], "access_token" | "expires_in">;

export type SessionState = "unknown" | "signed-in" | "signed-out";

// A token is renewed before it ends, so that an answer is not refused on the way.
const MARGIN_MS = 20_000;
const REFRESH = "/api/v1/auth/refresh";
const LOCK = "spectral.refresh";

// Says that a renewal is on its way. Found by whoever holds the lock, it is of a page that was left meanwhile: its answer,
// with the cookie that follows the one it has spent, is still to come.
const UNDER_WAY = "spectral.renewing";
const ANSWERED_WITHIN_MS = 2_000;

/**
 * Who is signed in here. The access token lives in memory only; the refresh token is a cookie that no script sees.
 *
 * Tabs share the cookie, and a spent refresh token that comes back ends the whole session: they take turns.
 */
class Session {
  #state: SessionState = "unknown";
  #token: string | null = null;
  #endsAt = 0;
  #renewal: Promise<boolean> | null = null;
  readonly #listeners = new Set<() => void>();

  get state(): SessionState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): SessionState => this.#state;

  begin(tokens: Tokens): void {
    this.#token = tokens.access_token;
    this.#endsAt = Date.now() + tokens.expires_in * 1000;
    this.#enter("signed-in");
  }

  end(): void {
    this.#token = null;
    this.#enter("signed-out");
  }

  /** A token that is good for this request; null where nobody is signed in. Throws OfflineError. */
  async token(): Promise<string | null> {
    if (this.#state === "signed-out") return null;
    if (this.#token !== null && Date.now() < this.#endsAt - MARGIN_MS) return this.#token;
    await this.renew();
    return this.#token;
  }

  /** Ask for a new access token once, however many ask here. False ends the session; OfflineError leaves it. */
  renew(): Promise<boolean> {
    this.#renewal ??= this.#renewAlone().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renewAlone(): Promise<boolean> {
    // Locks exist on https and on this machine; elsewhere tabs that renew in the same instant sign in again.
    const answer = navigator.locks ? await navigator.locks.request(LOCK, askForToken) : await askForToken();
    if (answer === null) {
      this.end();
      return false;
    }
    this.begin(answer);
    return true;
  }

  #enter(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

async function askForToken(): Promise<Tokens | null> {
  await orphanAnswered();
  localStorage.setItem(UNDER_WAY, String(Date.now()));
  const response = await renewCookie();
  // Not where it failed: that is also how a page learns that it is being left, and the answer may come all the same.
  localStorage.removeItem(UNDER_WAY);
  if (response.ok) return (await response.json()) as Tokens;
  // Only a refusal ends a session: a server that is busy, limited or restarting has said nothing about it.
  if (response.status < 500 && response.status !== 429 && response.status !== 408) return null;
  throw await problemOf(response);
}

async function orphanAnswered(): Promise<void> {
  const left = Number(localStorage.getItem(UNDER_WAY)) + ANSWERED_WITHIN_MS - Date.now();
  // A clock that was set back must not keep anybody waiting.
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWERED_WITHIN_MS)));
}

async function renewCookie(): Promise<Response> {
  try {
    return await fetch(REFRESH, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Spectral-Client": "web" },
      body: "null",
      // Whoever leaves the page meanwhile must get the new cookie all the same: the old one is spent.
      keepalive: true,
    });
  } catch (error) {
    throw new OfflineError(error);
  }
}

export const session = new Session();
