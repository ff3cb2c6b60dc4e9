import { getRouteApi } from "@tanstack/react-router";
import { FileText, Plus } from "lucide-react";
import { useState } from "react";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { cn } from "@/components/cn";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useAgentPath } from "../use-agent-path";
import { TEMPLATES, TemplateDialog } from "./template-form";
import { TemplateDetail } from "./template-detail";

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

export function TemplatesTab({ agent }: { agent: Schemas["AgentOut"] }) {
  const path = useAgentPath();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const [creating, setCreating] = useState(false);
  const templates = api.useQuery("get", TEMPLATES, { params: { path, query: { limit: 100 } } });
  const open = (template: string | undefined) => void navigate({ search: { tab: "templates", template } });
  const refusal = agent.archived ? "The agent is archived" : mayWrite ? undefined : lacking("write:workspace");
  const createButton = (
    <Button size="sm" disabled={refusal !== undefined} title={refusal} onClick={() => setCreating(true)}>
      <Plus aria-hidden />
      Create template
    </Button>
  );
  const dialog = (
    <TemplateDialog
      template={null}
      open={creating}
      onOpenChange={setCreating}
      onSaved={({ name }) => {
        setCreating(false);
        open(name);
      }}
    />
  );
  if (templates.error) return <ProblemNotice error={templates.error} retry={() => void templates.refetch()} />;
  if (templates.isPending) return <SkeletonRows rows={5} label="Loading the templates" />;
  const all = templates.data.results;
  if (all.length === 0) {
    return (
      <>
        <EmptyState icon={<FileText />} title="No template yet" actions={createButton}>
          Templates are the prompts that your own code fetches by name, with versions of their own. They are there when the agent does not
          read its whole config from here. Applying a change set writes the changed prompts into them.
        </EmptyState>
        {dialog}
      </>
    );
  }
  const chosen = all.find(({ name }) => name === search.template) ?? all[0];
  return (
    <div className="grid min-w-0 items-start gap-4 lg:grid-cols-[minmax(14rem,18rem)_minmax(0,1fr)]">
      <Panel title="Templates" actions={createButton} padded={false}>
        <ul>
          {all.map((template) => (
            <li key={template.name} className="border-b border-line last:border-b-0">
              <button
                type="button"
                aria-current={template.name === chosen?.name ? "true" : undefined}
                onClick={() => open(template.name)}
                className={cn(
                  "flex w-full flex-col gap-0.5 px-3 py-2 text-left hover:bg-hover",
                  template.name === chosen?.name && "bg-selected hover:bg-selected",
                )}
              >
                <span className="flex w-full items-center justify-between gap-2">
                  <span className="truncate font-mono text-xs font-medium">{template.name}</span>
                  <span className="numeric text-xs text-muted">v{template.current_version}</span>
                </span>
                <span className="truncate text-xs text-muted">
                  <Time at={template.created_at} /> · {template.variables.length === 0 ? "no variables" : template.variables.join(", ")}
                </span>
              </button>
            </li>
          ))}
        </ul>
      </Panel>
      {chosen && <TemplateDetail key={chosen.name} name={chosen.name} refusal={refusal} onGone={() => open(undefined)} />}
      {dialog}
    </div>
  );
}
