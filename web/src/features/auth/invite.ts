/**
 * The token of an invite: it comes behind the `#` of the mail's link, which reaches no server and no `Referer`, and
 * stays in this tab while its owner signs in, registers, or goes to an identity provider and comes back.
 */
const KEY = "spectral.invite";

export function takeInvite(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    sessionStorage.setItem(KEY, token);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return keptInvite();
}

export function keptInvite(): string | null {
  return sessionStorage.getItem(KEY);
}

export function forgetInvite(): void {
  sessionStorage.removeItem(KEY);
}
