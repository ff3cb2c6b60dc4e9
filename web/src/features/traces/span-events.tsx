import { Link } from "@tanstack/react-router";
import type { Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { formatDuration, shortId } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { Time } from "@/components/time";
import { LongText } from "@/features/traces/long-text";

type Attributes = Record<string, unknown>;

export interface Exception {
  type: string | null;
  message: string | null;
  stacktrace: string | null;
}

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

function exceptionOf(attributes: Attributes): Exception {
  return {
    type: text(attributes["exception.type"]),
    message: text(attributes["exception.message"]),
    stacktrace: text(attributes["exception.stacktrace"]),
  };
}

export function exceptionsOf(body: Schemas["SpanBodyOut"]): Exception[] {
  return body.events.filter((event) => event.name === "exception").map((event) => exceptionOf(event.attributes));
}

export function SpanEvents({ body, startedAt }: { body: Schemas["SpanBodyOut"]; startedAt: string }) {
  const workspaceId = useWorkspaceId();
  if (body.events.length === 0 && body.links.length === 0) return <p className="text-muted">No events and no links were sent for this span.</p>;
  return (
    <div className="flex flex-col gap-3">
      {body.events.map((event, at) => {
        const exception = event.name === "exception" ? exceptionOf(event.attributes) : null;
        return (
          <section key={at} aria-label={event.name} className="min-w-0 rounded-md border border-line px-3 py-2">
            <p className="flex flex-wrap items-baseline justify-between gap-2 text-xs">
              <span className={exception ? "font-medium text-bad" : "font-medium"}>{exception?.type ?? event.name}</span>
              <span className="numeric text-muted" title="After the start of the span">
                + {formatDuration(new Date(event.time).getTime() - new Date(startedAt).getTime())} · <Time at={event.time} relative={false} />
              </span>
            </p>
            {exception?.message && <LongText text={exception.message} />}
            {exception?.stacktrace && <LongText text={exception.stacktrace} mono />}
            {!exception && Object.keys(event.attributes).length > 0 && <JsonView value={event.attributes} label={`Attributes of ${event.name}`} className="mt-1" />}
          </section>
        );
      })}
      {body.links.length > 0 && (
        <section aria-label="Links" className="min-w-0">
          <h3 className="mb-1 text-xs font-medium text-muted">Links to other spans</h3>
          <ul className="flex flex-col gap-1">
            {body.links.map((link) => (
              <li key={`${link.trace_id}${link.span_id}`}>
                <Link
                  to="/w/$workspaceId/traces/$traceId"
                  params={{ workspaceId, traceId: link.trace_id }}
                  search={{ span: link.span_id }}
                  className="font-mono text-xs text-accent hover:underline dark:text-series-1"
                >
                  {shortId(link.trace_id)} / {shortId(link.span_id)}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
