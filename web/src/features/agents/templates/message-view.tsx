import { Fragment } from "react";
import type { Message } from "./messages";

const PLACEHOLDER = /(\\?\{\{[\s\S]*?\}\})/;

/** The messages of a prompt, with its variables marked. */
export function MessageView({ messages }: { messages: readonly Message[] }) {
  return (
    <ol className="flex min-w-0 flex-col gap-2">
      {messages.map(({ role, content }, index) => (
        // Messages have no identity but their place.
        <li key={index} className="min-w-0 rounded-md border border-line">
          <p className="border-b border-line bg-canvas px-2.5 py-1 text-xs font-medium text-muted">{role}</p>
          <p className="max-h-96 overflow-y-auto p-2.5 text-sm break-words whitespace-pre-wrap" tabIndex={0}>
            {content.split(PLACEHOLDER).map((part, place) => (
              <Fragment key={place}>
                {part.startsWith("{{") ? <mark className="rounded-sm bg-selected px-0.5 font-mono text-xs text-accent dark:text-series-1">{part}</mark> : part}
              </Fragment>
            ))}
          </p>
        </li>
      ))}
    </ol>
  );
}
