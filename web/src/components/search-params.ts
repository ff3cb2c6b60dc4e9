/**
 * Reading search parameters: what a link says is kept where it makes sense and dropped where it does not, so that an
 * old or a mistyped link still opens.
 */

type Raw = Record<string, unknown>;

export function textParam(raw: Raw, key: string): string | undefined {
  const value = raw[key];
  if (typeof value === "string" && value !== "") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

export function choiceParam<T extends string>(raw: Raw, key: string, choices: readonly T[]): T | undefined {
  return choices.find((choice) => choice === raw[key]);
}

/** A whole number from `least` on. */
export function countParam(raw: Raw, key: string, least = 0): number | undefined {
  const value = Number(raw[key]);
  return raw[key] !== undefined && raw[key] !== "" && Number.isInteger(value) && value >= least ? value : undefined;
}

export function flagParam(raw: Raw, key: string): true | undefined {
  return raw[key] === true || raw[key] === "true" || raw[key] === 1 ? true : undefined;
}

export function listParam(raw: Raw, key: string): string[] | undefined {
  const value = raw[key];
  const all = Array.isArray(value) ? value : value === undefined ? [] : [value];
  const texts = all.filter((one) => typeof one === "string" || typeof one === "number").map(String);
  return texts.length > 0 ? texts : undefined;
}
