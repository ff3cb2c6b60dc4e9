/** What the addresses of these pages may say after the `?`. */

type Raw = Record<string, unknown>;

export type RunListSearch = Record<never, never>;

export function runListSearch(_raw: Raw): RunListSearch {
  return {};
}

export type RunDetailSearch = Record<never, never>;

export function runDetailSearch(_raw: Raw): RunDetailSearch {
  return {};
}

export type QuestionListSearch = Record<never, never>;

export function questionListSearch(_raw: Raw): QuestionListSearch {
  return {};
}
