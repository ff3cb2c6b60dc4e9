import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";

/** What sends the first trace, with this server's address. The page watches, and goes away when one has come. */
export function FirstTrace({ connection }: { connection: Schemas["ConnectionOut"] }) {
  const workspaceId = useWorkspaceId();
  const block = Object.entries(connection.environment)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
  return (
    <Panel title="Send the first trace" description="This page watches for it.">
      <ol className="flex list-inside list-decimal flex-col gap-4 marker:font-medium marker:text-muted">
        <li>
          <Button asChild variant="link">
            <Link to="/w/$workspaceId/settings/keys" params={{ workspaceId }}>
              Make an API key
            </Link>
          </Button>{" "}
          and put it in place of the one below.
        </li>
        <li>
          Start an agent that is instrumented with OpenTelemetry with this environment; it needs no new code.
          <div className="mt-2">
            <CodeBlock language="shell" code={block} />
          </div>
        </li>
        <li>
          Or, without OpenTelemetry:
          <div className="mt-2">
            <CodeBlock
              language="shell"
              code={[
                `curl ${location.origin}/api/v1/workspaces/${workspaceId}/traces \\`,
                '  -H "Authorization: Bearer sk_live_…" -H "Content-Type: application/json" \\',
                `  -d '{"input": "Where is my parcel?", "output": "On its way.", "latency_ms": 812}'`,
              ].join("\n")}
            />
          </div>
        </li>
      </ol>
    </Panel>
  );
}
