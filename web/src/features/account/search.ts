/** What the addresses of these pages may say after the `?`. */

type Raw = Record<string, unknown>;

export type AccountSearch = Record<never, never>;

export function accountSearch(_raw: Raw): AccountSearch {
  return {};
}
