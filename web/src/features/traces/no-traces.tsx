import { Link } from "@tanstack/react-router";
import { Activity } from "lucide-react";
import { useState } from "react";
import { api, type Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { CodeBlock } from "@/components/code-block";
import { EmptyState } from "@/components/empty-state";
import { formatCount } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Segmented } from "@/components/ui/segmented";
import { Skeleton } from "@/components/ui/skeleton";

export const KEY_PLACE = "sk_live_…";
const POLL_MS = 5_000;

/** What the exporter's environment has to say, with a place for the key: the server knows a key only in part. */
export function environmentText(environment: Record<string, string>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      const said = name === "OTEL_EXPORTER_OTLP_HEADERS" ? `authorization=Bearer%20${KEY_PLACE}` : value;
      return `export ${name}="${said}"`;
    })
    .join("\n");
}

function curlText(workspaceId: string): string {
  return [
    `curl ${location.origin}/api/v1/workspaces/${workspaceId}/traces \\`,
    `  -H "Authorization: Bearer ${KEY_PLACE}" -H "Content-Type: application/json" \\`,
    `  -d '{"input": "Where is my order?", "output": "On its way.", "model": "gpt-4o-mini",`,
    `       "input_tokens": 112, "output_tokens": 9, "latency_ms": 840, "session_id": "s-1", "user_id": "u-1"}'`,
  ].join("\n");
}

/** A workspace without traces: how to send the first. */
export function NoTraces() {
  const workspaceId = useWorkspaceId();
  const [way, setWay] = useState<"otlp" | "json">("otlp");
  const health = useHealth(POLL_MS);
  return (
    <div className="overflow-y-auto">
      <EmptyState icon={<Activity />} title="No traces yet" className="max-w-3xl">
        <p>
          Any OpenTelemetry exporter sends traces here unchanged. Put a whole key where <code className="font-mono text-xs">{KEY_PLACE}</code> stands; this page shows the
          first trace as soon as it arrives.
        </p>
        <div className="mt-4 flex flex-col gap-2 text-left text-text">
          <Segmented
            label="How to send"
            value={way}
            onValueChange={setWay}
            options={[
              { value: "otlp", label: "OpenTelemetry" },
              { value: "json", label: "Plain JSON" },
            ]}
          />
          {way === "json" && <CodeBlock code={curlText(workspaceId)} language="shell" wrap />}
          {way === "otlp" &&
            (health.data ? (
              <CodeBlock code={environmentText(health.data.connection.environment)} language="shell" />
            ) : health.error ? (
              <ProblemNotice error={health.error} retry={() => void health.refetch()} />
            ) : (
              <Skeleton className="h-40 w-full" />
            ))}
          <div className="mt-2 flex flex-wrap gap-2">
            <Button asChild variant="primary">
              <Link to="/w/$workspaceId/settings/keys" params={{ workspaceId }}>
                Create a key
              </Link>
            </Button>
          </div>
        </div>
      </EmptyState>
    </div>
  );
}

export function useHealth(refetchInterval: number | false = false) {
  const workspaceId = useWorkspaceId();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/health",
    { params: { path: { workspace_id: workspaceId } } },
    { refetchInterval, staleTime: 60_000 },
  );
}

/** Model calls came in without their messages: which switch of which instrumentation brings them. */
export function MissingContent({ missing }: { missing: readonly Schemas["MissingContentOut"][] }) {
  const [open, setOpen] = useState(false);
  const [first] = missing;
  if (!first) return null;
  const names = missing.map((one) => one.instrumentation).join(", ");
  return (
    <div role="status" className="border-b border-line bg-warn-soft px-3 py-1.5 text-xs text-text sm:px-5">
      <div className="flex flex-wrap items-center gap-x-2">
        <span>
          <span className="font-medium">Messages are missing.</span> {names} sent {formatCount(first.without_content)} of {formatCount(first.model_calls)} model calls
          without content in the last 24 hours.
        </span>
        <Button variant="link" size="sm" aria-expanded={open} onClick={() => setOpen(!open)} className="h-6 text-text underline">
          {open ? "Hide the switch" : "Show the switch"}
        </Button>
      </div>
      {open &&
        missing.map((one) => (
          <div key={one.scope} className="flex max-w-3xl flex-col gap-1 py-1.5">
            <p>
              {one.instrumentation} ({one.scope}): {one.hint}
            </p>
            <CodeBlock code={Object.entries(one.environment).map(([name, value]) => `export ${name}="${value}"`).join("\n")} language="shell" />
          </div>
        ))}
    </div>
  );
}
