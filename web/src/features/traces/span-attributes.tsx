import type { Schemas } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { JsonView } from "@/components/json-view";
import { KeyValue } from "@/components/key-value";
import { Time } from "@/components/time";

export interface SpanAttributesProps {
  span: Schemas["SpanOut"];
  body: Schemas["SpanBodyOut"];
}

/** As it was sent, whether or not anything here knows it. */
export function SpanAttributes({ span, body }: SpanAttributesProps) {
  const scope = { name: body.scope_name, version: body.scope_version, attributes: body.scope_attributes };
  return (
    <div className="flex min-w-0 flex-col gap-4">
      <KeyValue
        items={[
          {
            label: "Span id",
            value: (
              <span className="flex items-center gap-1">
                <span className="font-mono text-xs">{span.span_id}</span>
                <CopyButton text={span.span_id} label="Copy span id" className="size-6" />
              </span>
            ),
          },
          { label: "Parent", value: <span className="font-mono text-xs">{span.parent_span_id ?? "none"}</span> },
          { label: "Started", value: <Time at={span.started_at} relative={false} /> },
          { label: "Operation", value: span.operation || "–" },
          { label: "Status", value: body.status_message ? `${span.status}: ${body.status_message}` : span.status },
        ]}
      />
      <Part title="Attributes" value={body.attributes} />
      <Part title="Resource" value={body.resource} />
      <Part title="Scope" value={scope} />
    </div>
  );
}

function Part({ title, value }: { title: string; value: Record<string, unknown> }) {
  return (
    <section aria-label={title} className="min-w-0">
      <h3 className="mb-1 text-xs font-medium text-muted">{title}</h3>
      {Object.keys(value).length === 0 ? <p className="text-muted">None</p> : <JsonView value={value} label={title} />}
    </section>
  );
}
