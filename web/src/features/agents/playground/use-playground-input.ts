import { useState } from "react";
import type { Schemas } from "@/api/client";
import { fieldsOfInput, inputOfFields, inputOfJson } from "./input";

/**
 * What somebody has put in, as one text for each variable or as JSON. canFill: whether fields can be offered at all.
 */
export function usePlaygroundInput(variables: readonly string[], canFill: boolean) {
  const [fields, setFields] = useState<Readonly<Record<string, string>>>({});
  const [json, setJson] = useState("");
  const [wantsJson, setWantsJson] = useState(false);
  const [seed, setSeed] = useState(0);
  const asJson = wantsJson || !canFill;

  const showAsJson = (next: boolean) => {
    const said = fieldsOfInput(parsed(json), variables);
    if (!next && said) setFields(said);
    // What was written as JSON and cannot be said in fields is kept.
    if (next && (json.trim() === "" || said)) {
      setJson(JSON.stringify(Object.fromEntries(variables.map((name) => [name, fields[name] ?? ""])), null, 2));
    }
    setWantsJson(next);
  };

  const load = (invocation: Schemas["InvocationOut"]) => {
    const said = fieldsOfInput(invocation.input, variables);
    if (said) setFields(said);
    setWantsJson(said === null);
    setJson(JSON.stringify(invocation.input, null, 2));
    setSeed(invocation.seed);
  };

  return {
    variables,
    canFill,
    asJson,
    showAsJson,
    fields,
    setFields,
    json,
    setJson,
    seed,
    setSeed,
    load,
    input: asJson ? inputOfJson(json, canFill ? variables : []) : inputOfFields(variables, fields),
  };
}

export type PlaygroundInput = ReturnType<typeof usePlaygroundInput>;

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
