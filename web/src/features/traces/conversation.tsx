import { CornerDownRight, Wrench } from "lucide-react";
import { useMemo, useState } from "react";
import { cn } from "@/components/cn";
import { formatCount, shortId } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { Button } from "@/components/ui/button";
import { LongText } from "@/features/traces/long-text";
import { type Message, type ToolCall, parsed, readMessages } from "@/features/traces/messages";

/** So many messages at once, the newest: earlier ones on demand. */
const MANY = 40;

const TONES: Record<string, string> = {
  system: "border-l-series-6",
  developer: "border-l-series-6",
  user: "border-l-series-5",
  assistant: "border-l-series-2",
  tool: "border-l-series-3",
};

/** Messages as a conversation; anything else as it came. */
export function Conversation({ value, label }: { value: unknown; label: string }) {
  const messages = useMemo(() => readMessages(parsed(value)), [value]);
  const [all, setAll] = useState(false);
  if (!messages) return <Body value={value} label={label} />;
  const hidden = all ? 0 : Math.max(0, messages.length - MANY);
  return (
    <ol aria-label={label} className="flex min-w-0 flex-col gap-2">
      {hidden > 0 && (
        <li>
          <Button size="sm" variant="link" onClick={() => setAll(true)}>
            Show {formatCount(hidden)} earlier messages
          </Button>
        </li>
      )}
      {messages.slice(hidden).map((message, at) => (
        <li key={hidden + at}>
          <MessageCard message={message} />
        </li>
      ))}
    </ol>
  );
}

function MessageCard({ message }: { message: Message }) {
  const { role, content, toolCalls, toolCallId } = message;
  // Instructions are long and the same everywhere: folded until somebody wants them.
  const quiet = role === "system" || role === "developer";
  const [open, setOpen] = useState(!quiet);
  const empty = content === null || content === "";
  return (
    <div className={cn("min-w-0 rounded-md border border-l-3 border-line bg-surface px-3 py-2", TONES[role])}>
      <div className="flex items-center gap-2 text-xs text-muted">
        {quiet ? (
          <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className="min-h-6 rounded-sm font-medium hover:text-text hover:underline">
            {nameOf(role)} · {open ? "hide" : "show"}
          </button>
        ) : (
          <span className="font-medium">{nameOf(role)}</span>
        )}
        {toolCallId && (
          <span className="truncate font-mono text-2xs" title={`Result of the call ${toolCallId}`}>
            {shortId(toolCallId, 12)}
          </span>
        )}
      </div>
      {!open && typeof content === "string" && <p className="truncate text-xs text-muted">{content.slice(0, 200)}</p>}
      {open && !empty && (
        <div className="mt-1">
          <Body value={content} label={`${nameOf(role)} message`} />
        </div>
      )}
      {open && toolCalls.length > 0 && (
        <div className="mt-1.5 flex flex-col gap-1.5">
          {toolCalls.map((call, at) => (
            <ToolCallCard key={call.id ?? at} call={call} />
          ))}
        </div>
      )}
      {open && empty && toolCalls.length === 0 && <p className="text-xs text-muted">No content</p>}
    </div>
  );
}

function nameOf(role: string): string {
  if (role === "tool") return "Tool result";
  return role.charAt(0).toUpperCase() + role.slice(1);
}

export function ToolCallCard({ call }: { call: ToolCall }) {
  return (
    <div className="min-w-0 rounded-sm border border-line bg-sunken px-2 py-1.5">
      <div className="flex items-center gap-1.5 text-xs">
        <Wrench aria-hidden className="size-3 text-series-3" />
        <span className="font-mono font-medium">{call.name}</span>
        {call.id && (
          <span className="truncate font-mono text-2xs text-muted" title={call.id}>
            {shortId(call.id, 12)}
          </span>
        )}
      </div>
      {call.arguments !== null && call.arguments !== undefined && (
        <div className="mt-1 flex gap-1">
          <CornerDownRight aria-hidden className="mt-1 size-3 shrink-0 text-muted" />
          <div className="min-w-0 flex-1">
            <Body value={call.arguments} label={`Arguments of ${call.name}`} />
          </div>
        </div>
      )}
    </div>
  );
}

export function Body({ value, label }: { value: unknown; label: string }) {
  if (typeof value === "string") return <LongText text={value} name={label.toLowerCase().replaceAll(" ", "-")} />;
  return <JsonView value={value} label={label} collapsedDepth={3} />;
}
