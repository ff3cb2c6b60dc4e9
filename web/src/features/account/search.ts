/** What the addresses of these pages may say after the `?`. */

import { textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

/** Filters of the audit log. */
export type AccountSearch = { action?: string; actor?: string; subject?: string };

export function accountSearch(raw: Raw): AccountSearch {
  return { action: textParam(raw, "action"), actor: textParam(raw, "actor"), subject: textParam(raw, "subject") };
}
