import { expect, it } from "vitest";
import { nameOf } from "@/api/actors";

it.each([
  ["user:0001", undefined, "you"],
  ["user:0002", "Ada", "Ada"],
  ["user:01a203f7-abcdef", undefined, "somebody (…abcdef)"],
  ["system:autonomy", undefined, "Spectral, within the bounds"],
  ["system:scan 01a203f7-abcdef", undefined, "a scan"],
  ["system:schedule 01a203f7-abcdef", undefined, "Spectral (schedule)"],
  ["key:01a203f7-abcdef", undefined, "an API key"],
  ["service_account:01a203f7-abcdef", undefined, "a service account"],
  ["importer", undefined, "importer"],
])("%s is said as people say it", (actor, member, said) => {
  expect(nameOf(actor, "0001", member)).toBe(said);
});
