import { expect, it } from "vitest";
import { nameOf } from "@/components/actor";

it.each([
  ["user", "0001", "0001", undefined, "you"],
  ["user", "0002", "0001", "Ada", "Ada"],
  ["user", "01a203f7-abcdef", "0001", undefined, "somebody (…abcdef)"],
  ["system", "autonomy", "0001", undefined, "Spectral (autonomy)"],
  ["api_key", "01a203f7-abcdef", "0001", undefined, "api key …abcdef"],
  ["importer", "", "0001", undefined, "importer"],
])("%s:%s is said as people say it", (kind, id, me, member, said) => {
  expect(nameOf(kind, id, me, member)).toBe(said);
});
