import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Bot, GitPullRequestArrow, Radar, Search, Settings } from "lucide-react";
import { Dialog as DialogPrimitive } from "radix-ui";
import { useState } from "react";
import { api } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { NAVIGATION, SETTINGS } from "@/app/navigation";
import { Kbd } from "@/components/ui/kbd";

const TRACE_ID = /^[0-9a-f]{32}$/i;
const ITEM =
  "flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm data-[selected=true]:bg-selected [&>svg]:size-4 [&>svg]:text-muted";
const HEADING = "[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-2xs [&_[cmdk-group-heading]]:text-muted";

type Props = { open: boolean; onOpenChange: (open: boolean) => void };

/** ⌘K: every page, every agent, what was proposed and scanned last, and any trace by its id or its words. */
export function CommandPalette({ open, onOpenChange }: Props) {
  return (
    <DialogPrimitive.Root open={open} onOpenChange={onOpenChange}>
      <DialogPrimitive.Portal>
        <DialogPrimitive.Overlay className="fixed inset-0 z-50 bg-black/40" />
        <DialogPrimitive.Content
          aria-describedby={undefined}
          className="fixed top-[12vh] left-1/2 z-50 w-[min(40rem,calc(100vw-2rem))] -translate-x-1/2 overflow-hidden rounded-lg border bg-raised shadow-float outline-none"
        >
          <DialogPrimitive.Title className="sr-only">Go to</DialogPrimitive.Title>
          <Choices close={() => onOpenChange(false)} />
        </DialogPrimitive.Content>
      </DialogPrimitive.Portal>
    </DialogPrimitive.Root>
  );
}

function Choices({ close }: { close: () => void }) {
  const workspaceId = useWorkspaceId();
  const navigate = useNavigate();
  const [words, setWords] = useState("");
  const path = { workspace_id: workspaceId };
  const agents = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents", { params: { path, query: { limit: 50 } } });
  const changesets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/changesets", {
    params: { path, query: { limit: 8 } },
  });
  const scans = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/scans", { params: { path, query: { limit: 8 } } });

  function go(where: () => Promise<void>) {
    close();
    void where();
  }

  const asked = words.trim();
  return (
    <Command label="Go to" loop>
      <div className="flex items-center gap-2.5 border-b px-4">
        <Search aria-hidden className="size-4 text-muted" />
        <Command.Input
          autoFocus
          value={words}
          onValueChange={setWords}
          placeholder="A page, an agent, a trace id, or words to look for in traces"
          className="h-12 flex-1 bg-transparent text-base outline-none placeholder:text-muted"
        />
        <Kbd>Esc</Kbd>
      </div>
      <Command.List className="max-h-[min(26rem,60vh)] overflow-y-auto p-2">
        <Command.Empty className="p-4 text-center text-muted">Nothing has that name.</Command.Empty>
        {asked !== "" && (
          <Command.Group heading="Traces" className={HEADING} forceMount>
            <Command.Item
              forceMount
              value={`traces ${asked}`}
              className={ITEM}
              onSelect={() =>
                go(() =>
                  TRACE_ID.test(asked)
                    ? navigate({
                        to: "/w/$workspaceId/traces/$traceId",
                        params: { workspaceId, traceId: asked.toLowerCase() },
                      })
                    : navigate({ to: "/w/$workspaceId/traces", params: { workspaceId }, search: { q: asked } }),
                )
              }
            >
              <Search aria-hidden />
              {TRACE_ID.test(asked) ? `Open the trace ${asked.slice(0, 8)}…` : `Search the traces for “${asked}”`}
            </Command.Item>
          </Command.Group>
        )}
        {NAVIGATION.map((group) => (
          <Command.Group key={group.title} heading={group.title} className={HEADING}>
            {group.destinations.map(({ label, icon: Icon, keys, to }) => (
              <Command.Item
                key={to}
                value={`${group.title} ${label}`}
                className={ITEM}
                onSelect={() => go(() => navigate({ to, params: { workspaceId } }))}
              >
                <Icon aria-hidden />
                <span className="flex-1">{label}</span>
                <Kbd>{keys}</Kbd>
              </Command.Item>
            ))}
          </Command.Group>
        ))}
        <Command.Group heading="Agents" className={HEADING}>
          {agents.data?.results.map((agent) => (
            <Command.Item
              key={agent.id}
              value={`agent ${agent.name} ${agent.id}`}
              className={ITEM}
              onSelect={() =>
                go(() => navigate({ to: "/w/$workspaceId/agents/$agentId", params: { workspaceId, agentId: agent.id } }))
              }
            >
              <Bot aria-hidden />
              {agent.name}
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Change sets" className={HEADING}>
          {changesets.data?.results.map((one) => (
            <Command.Item
              key={one.id}
              value={`change set ${one.state} ${one.base_version} ${one.candidate_version} ${one.id}`}
              className={ITEM}
              onSelect={() =>
                go(() =>
                  navigate({
                    to: "/w/$workspaceId/changesets/$changesetId",
                    params: { workspaceId, changesetId: one.id },
                  }),
                )
              }
            >
              <GitPullRequestArrow aria-hidden />
              <span className="flex-1 truncate">
                Version {one.base_version} → {one.candidate_version}
                <span className="ml-2 text-muted">
                  {agents.data?.results.find((agent) => agent.id === one.agent_id)?.name}
                </span>
              </span>
              <span className="text-muted">{one.state}</span>
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Scans" className={HEADING}>
          {scans.data?.results.map((one) => (
            <Command.Item
              key={one.id}
              value={`scan ${one.status} ${one.id}`}
              className={ITEM}
              onSelect={() =>
                go(() => navigate({ to: "/w/$workspaceId/scans/$scanId", params: { workspaceId, scanId: one.id } }))
              }
            >
              <Radar aria-hidden />
              <span className="flex-1">Scan {one.id.slice(-6)}</span>
              <span className="text-muted">{one.status}</span>
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Settings" className={HEADING}>
          {SETTINGS.map(({ label, to }) => (
            <Command.Item
              key={to}
              value={`settings ${label}`}
              className={ITEM}
              onSelect={() => go(() => navigate({ to, params: { workspaceId } }))}
            >
              <Settings aria-hidden />
              {label}
            </Command.Item>
          ))}
        </Command.Group>
      </Command.List>
    </Command>
  );
}
