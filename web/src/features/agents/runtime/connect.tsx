import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { Panel } from "@/components/ui/panel";

/** How a program of the customer and this agent come together, with exact commands. */
export function Connect({ agent }: { agent: Schemas["AgentOut"] }) {
  if (agent.runtime === "runner") return <ConnectRunner agent={agent} />;
  if (agent.runtime === "http") return <ConnectHttp />;
  if (agent.runtime === "observed") {
    return (
      <Panel title="Only observed">
        <p className="max-w-3xl text-sm text-muted">
          The platform sees the traces of this agent and cannot execute it. Recover its template from traces, or give it a config: then it
          becomes a prompt agent, as a replica, and scans can start from it. Or choose “runner” or “http” above, to let your own code answer.
        </p>
      </Panel>
    );
  }
  return <FetchConfig agent={agent} />;
}

function ConnectRunner({ agent }: { agent: Schemas["AgentOut"] }) {
  return (
    <Panel title="Connect a runner" description="A process of yours that fetches work, does it, and answers. Nothing has to reach it from outside.">
      <div className="flex max-w-3xl flex-col gap-3">
        <p className="text-sm">
          1. A function takes the config under which it is to run and the input, and gives back anything that is JSON:
        </p>
        <CodeBlock language="Python, my_agent.py" code={`def answer(config, input):\n    return …`} />
        <p className="text-sm">
          2. With an API key of the workspace (<KeysLink />; scopes read:agents and write:traces), where the function can be imported:
        </p>
        <CodeBlock
          language="Shell"
          code={`export SPECTRAL_URL=${location.origin}\nexport SPECTRAL_API_KEY=sk_live_…\nspectral runner my_agent:answer --agent ${quoted(agent.name)} --capacity 16`}
        />
        <p className="text-sm text-muted">
          Stops at Ctrl-C once the tasks under way are done. With <code className="font-mono text-xs">TaskMarks()</code> among the span
          processors, spans of evaluations stay out of live figures.
        </p>
      </div>
    </Panel>
  );
}

function ConnectHttp() {
  return (
    <Panel title="What is posted" description="Answer with a 2xx, within the timeout, at most 1 MiB.">
      <div className="flex max-w-3xl flex-col gap-3">
        <CodeBlock
          language="JSON"
          wrap
          code={'{"config": {…}, "config_hash": "…", "input": {…}, "seed": 7, "traceparent": "00-…", "mode": "evaluation"}'}
        />
        <p className="text-sm">The answer is one of:</p>
        <CodeBlock
          language="JSON"
          wrap
          code={
            '{"output": …, "usage": {"input_tokens": 1, "output_tokens": 1}, "cost_usd": "0.0004", "trace_id": "…"}\n{"error": {"type": "…", "message": "…"}}'
          }
        />
        <p className="text-sm text-muted">
          Usage, cost and trace are optional; a cost that is not told is unknown, never 0. The headers webhook-id, webhook-timestamp and
          webhook-signature are those of Standard Webhooks. Private addresses are refused unless the workspace has opened their network.
        </p>
      </div>
    </Panel>
  );
}

function FetchConfig({ agent }: { agent: Schemas["AgentOut"] }) {
  return (
    <Panel title="Use the live config in your code" description="Without a deployment when another version is promoted.">
      <div className="flex max-w-3xl flex-col gap-3">
        <CodeBlock
          language="Python"
          code={[
            "from spectral.client import SpectralClient",
            "",
            `client = SpectralClient("${location.origin}", "sk_live_…")`,
            `agent = client.agent(${JSON.stringify(agent.name)})`,
            "config = agent.config(max_age_s=30, session=session_id)",
            'with tracer.start_as_current_span("answer", attributes=config.attributes | {"session.id": session_id}):',
            "    …  # config.document is the config",
          ].join("\n")}
        />
        <p className="text-sm text-muted">
          The key is one of the workspace (<KeysLink />). <code className="font-mono text-xs">config.attributes</code> say on the spans which
          version has answered; with a holdback, the session decides which version it gets.
        </p>
      </div>
    </Panel>
  );
}

function KeysLink() {
  const workspaceId = useWorkspaceId();
  return (
    <Link to="/w/$workspaceId/settings/keys" params={{ workspaceId }} className="text-accent underline dark:text-series-1">
      API keys
    </Link>
  );
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
