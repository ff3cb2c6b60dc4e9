/** What was sent for a span, as messages: the API gives them in one form, content may still be anything. */

export interface ToolCall {
  id: string | null;
  name: string;
  arguments: unknown;
}

export interface Message {
  role: string;
  content: unknown;
  toolCalls: ToolCall[];
  /** Which call this is the result of. */
  toolCallId: string | null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Very long messages come as the text that was sent. */
export function parsed(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Null where the value is no list of messages: then it is shown as it came. */
export function readMessages(value: unknown): Message[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const messages: Message[] = [];
  for (const one of value as unknown[]) {
    if (!isRecord(one) || typeof one.role !== "string") return null;
    messages.push({
      role: one.role,
      content: plainText(one.content ?? one.parts) ?? one.content ?? one.parts ?? null,
      toolCalls: readToolCalls(one.tool_calls),
      toolCallId: textOrNull(one.tool_call_id),
    });
  }
  return messages;
}

/** Content in parts that are texts alone is one text. */
function plainText(content: unknown): string | null {
  if (!Array.isArray(content) || content.length === 0) return null;
  const texts = (content as unknown[]).map((part) => (isRecord(part) && part.type === "text" ? textOrNull(part.text) ?? textOrNull(part.content) : null));
  return texts.every((text) => text !== null) ? texts.join("\n\n") : null;
}

export function readToolCalls(value: unknown): ToolCall[] {
  if (!Array.isArray(value)) return [];
  return (value as unknown[]).filter(isRecord).map((call) => ({
    id: textOrNull(call.id),
    name: textOrNull(call.name) ?? "tool",
    arguments: call.arguments,
  }));
}
