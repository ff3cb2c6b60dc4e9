import type { Schemas } from "@/api/client";
import { Body, Conversation, ToolCallCard } from "@/features/traces/conversation";
import { readMessages, readToolCalls } from "@/features/traces/messages";
import { exceptionsOf } from "@/features/traces/span-events";
import { LongText } from "@/features/traces/long-text";

export interface SpanContentProps {
  span: Schemas["SpanOut"];
  body: Schemas["SpanBodyOut"];
}

/** What went in and what came out, in the form of whichever convention it follows. */
export function SpanContent({ span, body }: SpanContentProps) {
  const answered = readMessages(body.output)?.some((message) => message.toolCalls.length > 0) ?? false;
  const calls = answered ? [] : readToolCalls(body.tool_calls);
  const nothing = body.input === null && body.output === null && body.prompt_template === null && calls.length === 0;
  return (
    <div className="flex min-w-0 flex-col gap-4">
      {span.status === "error" && <Failure span={span} body={body} />}
      {body.prompt_template !== null && (
        <Section title="Prompt template">
          <Body value={body.prompt_template} label="Prompt template" />
        </Section>
      )}
      {body.prompt_variables !== null && (
        <Section title="Variables">
          <Body value={body.prompt_variables} label="Variables" />
        </Section>
      )}
      {body.input !== null && (
        <Section title="Input">
          <Conversation value={body.input} label="Input" />
        </Section>
      )}
      {body.output !== null && (
        <Section title="Output">
          <Conversation value={body.output} label="Output" />
        </Section>
      )}
      {calls.length > 0 && (
        <Section title="Tool calls">
          <div className="flex flex-col gap-1.5">
            {calls.map((call, at) => (
              <ToolCallCard key={call.id ?? at} call={call} />
            ))}
          </div>
        </Section>
      )}
      {nothing && (
        <p className="text-muted">
          No content was sent for this span. {span.kind === "llm" && "The instrumentation may need a switch for it: the list of traces says which, if it is known here."}
        </p>
      )}
    </div>
  );
}

function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section aria-label={title} className="min-w-0">
      <h3 className="mb-1 text-xs font-medium text-muted">{title}</h3>
      {children}
    </section>
  );
}

function Failure({ span, body }: SpanContentProps) {
  const [first] = exceptionsOf(body);
  const message = body.status_message || first?.message;
  return (
    <div role="note" className="min-w-0 rounded-md border border-bad/40 bg-bad-soft px-3 py-2">
      <p className="text-xs font-medium text-bad">{span.error_type ?? first?.type ?? "Failed"}</p>
      {message ? <LongText text={message} /> : <p className="text-xs">No message was sent.</p>}
    </div>
  );
}
