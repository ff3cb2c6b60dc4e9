import type { Schemas } from "@/api/client";
import { variablesIn } from "../playground/input";

export type Message = Schemas["PromptMessage"];

/** Messages as one text, so that two versions can be compared line by line. */
export function messagesText(messages: readonly Message[]): string {
  return messages.map(({ role, content }) => `── ${role}\n${content}`).join("\n\n");
}

/** The variables that messages use, in order of first use. */
export function variablesOfMessages(messages: readonly Message[]): string[] {
  return [...new Set(messages.flatMap(({ content }) => variablesIn(content)))];
}
