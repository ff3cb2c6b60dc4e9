/** What the addresses of these pages may say after the `?`. */

import { flagParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

/** next: where the person wanted to go, a path of this site. ended: their session was over. */
export type SignInSearch = { next?: string; email?: string; ended?: true };

export function signInSearch(raw: Raw): SignInSearch {
  return { next: ownPath(textParam(raw, "next")), email: textParam(raw, "email"), ended: flagParam(raw, "ended") };
}

export type InviteSearch = Record<never, never>;

export function inviteSearch(_raw: Raw): InviteSearch {
  return {};
}

/** Only a path of this site: a link must not send people who have just signed in to somebody else's page. */
export function ownPath(path: string | undefined): string | undefined {
  if (path === undefined || !path.startsWith("/") || /^\/[/\\]/.test(path) || hasControl(path)) return undefined;
  return path;
}

// Browsers drop these while they read an address, and what is left may begin with two slashes.
function hasControl(path: string): boolean {
  return [...path].some((character) => character.charCodeAt(0) < 32);
}
