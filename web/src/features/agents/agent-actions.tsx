import { useNavigate } from "@tanstack/react-router";
import { Archive, ArchiveRestore, Ellipsis, FlaskConical, ListTree, Pencil, ScanSearch, Trash2, UserCheck, WandSparkles } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Menu } from "@/components/ui/menu";
import { RenameDialog } from "./rename-dialog";
import { useAgentPath, useRefreshAgents } from "./use-agent-path";

const InferTemplateDialog = lazy(() => import("./infer-template").then((module) => ({ default: module.InferTemplateDialog })));

type Opened = "rename" | "archive" | "delete" | "infer" | null;

/** What can be done with the agent as a whole. */
export function AgentActions({ agent }: { agent: Schemas["AgentOut"] }) {
  const workspaceId = useWorkspaceId();
  const navigate = useNavigate();
  const mayWrite = useMay("write:workspace");
  const [opened, setOpened] = useState<Opened>(null);
  const change = useAgentPatch();
  const refusal = mayWrite ? undefined : lacking("write:workspace");
  const write = { disabled: !mayWrite, title: refusal };
  const writeUnlessArchived = agent.archived ? { disabled: true, title: "The agent is archived" } : write;
  return (
    <>
      {agent.status === "observed" && (
        <Button
          disabled={!mayWrite}
          title={refusal ?? "From then on it counts as managed; there is no way back"}
          pending={change.isPending}
          onClick={() => change.mutate({ status: "managed" }, `${agent.name} is managed now`)}
        >
          <UserCheck aria-hidden />
          Adopt
        </Button>
      )}
      <Button onClick={() => void navigate({ to: "/w/$workspaceId/scans/new", params: { workspaceId }, search: { agent: agent.id } })} {...writeUnlessArchived}>
        <ScanSearch aria-hidden />
        Start a scan
      </Button>
      <Menu
        label="Actions"
        trigger={
          <Button aria-label={`Actions of ${agent.name}`}>
            <Ellipsis aria-hidden />
            Actions
          </Button>
        }
        items={[
          { label: "Show its traces", icon: <ListTree aria-hidden />, onSelect: () => void navigate({ to: "/w/$workspaceId/traces", params: { workspaceId }, search: { filter: tracesOf(agent) } }) },
          { label: "Recover template from traces…", icon: <WandSparkles aria-hidden />, onSelect: () => setOpened("infer"), ...writeUnlessArchived },
          {
            label: "Open the playground",
            icon: <FlaskConical aria-hidden />,
            onSelect: () => void navigate({ to: "/w/$workspaceId/agents/$agentId", params: { workspaceId, agentId: agent.id }, search: { tab: "playground" } }),
          },
          "separator",
          { label: "Rename or describe…", icon: <Pencil aria-hidden />, onSelect: () => setOpened("rename"), ...write },
          agent.archived
            ? {
                label: "Take out of the archive",
                icon: <ArchiveRestore aria-hidden />,
                onSelect: () => change.mutate({ archived: false }, `${agent.name} is out of the archive`),
                ...write,
              }
            : { label: "Archive…", icon: <Archive aria-hidden />, onSelect: () => setOpened("archive"), ...write },
          { label: "Delete…", icon: <Trash2 aria-hidden />, onSelect: () => setOpened("delete"), danger: true, ...write },
        ]}
      />
      <RenameDialog agent={agent} open={opened === "rename"} onOpenChange={(open) => setOpened(open ? "rename" : null)} />
      <ConfirmDialog
        open={opened === "archive"}
        onOpenChange={(open) => setOpened(open ? "archive" : null)}
        title={`Archive ${agent.name}`}
        confirmLabel="Archive the agent"
        danger
        requireText={agent.name}
        pending={change.isPending}
        error={change.error}
        onConfirm={() => change.mutate({ archived: true }, `${agent.name} is archived`, () => setOpened(null))}
      >
        <p>It leaves the list and takes no new versions, promotions, templates or runs. What is live stays live, and its history stays.</p>
        <p>It can be taken out of the archive again.</p>
      </ConfirmDialog>
      <DeleteDialog agent={agent} open={opened === "delete"} onOpenChange={(open) => setOpened(open ? "delete" : null)} />
      {opened === "infer" && (
        <Suspense>
          <InferTemplateDialog agent={agent} onClose={() => setOpened(null)} />
        </Suspense>
      )}
    </>
  );
}

/** Changes the agent and reads again what it says. */
function useAgentPatch() {
  const path = useAgentPath();
  const refresh = useRefreshAgents();
  const patch = api.useMutation("patch", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}");
  return {
    isPending: patch.isPending,
    error: patch.error,
    mutate: (body: Partial<Schemas["AgentPatch"]>, said: string, then?: () => void) =>
      patch.mutate(
        { params: { path }, body },
        {
          onSuccess: async () => {
            await refresh();
            toast.success(said);
            then?.();
          },
          onError: (error) => {
            if (!then) toast.error(error instanceof Error ? error.message : "The change was refused");
          },
        },
      ),
  };
}

function DeleteDialog({ agent, open, onOpenChange }: { agent: Schemas["AgentOut"]; open: boolean; onOpenChange: (open: boolean) => void }) {
  const path = useAgentPath();
  const navigate = useNavigate();
  const refresh = useRefreshAgents();
  const remove = api.useMutation("delete", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}", {
    onSuccess: async () => {
      toast.success(`Agent ${agent.name} deleted`);
      await navigate({ to: "/w/$workspaceId/agents", params: { workspaceId: path.workspace_id } });
      await refresh();
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        if (!next) remove.reset();
        onOpenChange(next);
      }}
      title={`Delete ${agent.name}`}
      confirmLabel="Delete the agent"
      danger
      requireText={agent.name}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ params: { path } })}
    >
      <p>The agent goes away for good, with its {agent.latest_version ?? 0} versions, promotions, templates and playground runs. Its traces stay.</p>
      <p>Clients that fetch its config are refused. An agent that a scan or a change set refers to cannot be deleted: archive it.</p>
    </ConfirmDialog>
  );
}

/** Spans name an agent by its id, by its name, or by what they called it when it was first seen. */
function tracesOf({ id, name, external_key: key }: Schemas["AgentOut"]): string {
  const names = [...new Set([id, name, key ?? name])];
  return `agent_id in (${names.map((one) => JSON.stringify(one)).join(", ")})`;
}
