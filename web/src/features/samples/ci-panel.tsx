import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, type Schemas } from "@/api/client";
import { CodeBlock } from "@/components/code-block";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { actionsWorkflow, checkCommand } from "./ci-snippets";

/** `spectral check` with this set, ready to paste. */
export function CiPanel({ workspaceId, set }: { workspaceId: string; set: Schemas["SampleSetOut"] }) {
  const agents = useQuery(
    api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/agents", {
      params: { path: { workspace_id: workspaceId }, query: { limit: 100 } },
    }),
  );
  const names = agents.data?.results.map((agent) => agent.name) ?? [];
  const [chosen, setChosen] = useState<string>();
  const [split, setSplit] = useState<"select" | "reflect">("select");
  const agent = chosen ?? names[0] ?? "my-agent";
  const check = { agent, set: set.name, split };
  return (
    <div className="flex flex-col gap-4">
      <Panel
        title="Check a change of an agent against this set"
        description="Compares the file with the configuration that is live, on the same samples, and ends with a code that a pipeline understands."
        actions={
          <>
            <Select label="Agent" size="sm" className="w-44" value={agent} onValueChange={setChosen} options={names.map((name) => ({ value: name, label: name }))} placeholder="No agent yet" />
            <Select
              label="Split"
              size="sm"
              className="w-28"
              value={split}
              onValueChange={setSplit}
              options={[
                { value: "select", label: "select" },
                { value: "reflect", label: "reflect" },
              ]}
            />
          </>
        }
      >
        <div className="flex flex-col gap-3">
          {set.splits[split] < 30 && (
            <p className="numeric text-sm text-warn">
              {split} has {set.splits[split]} items; a check needs at least 30.
            </p>
          )}
          <CodeBlock language="Shell" code={checkCommand(check, location.origin)} />
          <p className="text-sm text-muted">
            The key is that of a{" "}
            <Link to="/w/$workspaceId/settings/service-accounts" params={{ workspaceId }} className="text-accent underline dark:text-series-1">
              service account
            </Link>{" "}
            with the role contributor. A pipeline never gets to see the holdout.
          </p>
        </div>
      </Panel>
      <Panel title="As a workflow of GitHub Actions">
        <CodeBlock language="YAML" code={actionsWorkflow(check)} />
      </Panel>
      <Panel title="What the exit code means">
        <dl className="grid grid-cols-[2rem_minmax(0,1fr)] gap-x-3 gap-y-1 text-sm">
          {EXITS.map(([code, meaning]) => (
            <div key={code} className="contents">
              <dt className="numeric font-mono text-xs">{code}</dt>
              <dd className="text-muted">{meaning}</dd>
            </div>
          ))}
        </dl>
      </Panel>
    </div>
  );
}

const EXITS = [
  ["0", "No regression: the whole 95 % interval of the difference lies above the margin, and every guard holds"],
  ["1", "Regression: the interval lies wholly below 0, or harm to a guard is confirmed"],
  ["2", "Inconclusive: the samples cannot tell; how many more would decide it is printed"],
  ["3", "The call or the request is wrong"],
  ["4", "No answer: the server is away, or the check took longer than its timeout"],
] as const;
