import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Pencil, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { toast } from "sonner";
import { api } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { useMedia } from "@/components/use-media";
import { ActorName } from "../actor-name";
import { useAgentPath } from "../use-agent-path";
import { MessageView } from "./message-view";
import { messagesText } from "./messages";
import { TEMPLATE, TEMPLATES, TemplateDialog } from "./template-form";

const DiffView = lazy(() => import("@/components/editor/diff-view").then((module) => ({ default: module.DiffView })));

const route = getRouteApi("/w/$workspaceId/agents/$agentId");
const VERSIONS = "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/templates/{name}/versions";
const NONE = "";

export interface TemplateDetailProps {
  name: string;
  /** Why it cannot be changed. */
  refusal: string | undefined;
  onGone: () => void;
}

export function TemplateDetail({ name, refusal, onGone }: TemplateDetailProps) {
  const path = useAgentPath();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isWide = useMedia("(min-width: 1280px)");
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const versions = api.useQuery("get", VERSIONS, { params: { path: { ...path, name }, query: { limit: 100 } } });
  if (versions.error) return <ProblemNotice error={versions.error} retry={() => void versions.refetch()} />;
  if (versions.isPending) return <SkeletonRows rows={5} label="Loading the template" />;
  const all = versions.data.results;
  const current = all[0];
  const shown = all.find(({ version }) => version === search.tversion) ?? current;
  const base = all.find(({ version }) => version === search.tbase);
  if (!shown || !current) return null;
  const options = all.map(({ version }) => ({ value: String(version), label: `Version ${version}` }));
  return (
    <Panel
      title={<span className="font-mono">{name}</span>}
      description={
        <>
          Version {shown.version}, <Time at={shown.created_at} /> by <ActorName actor={/^(scan|system):/.test(shown.origin) ? shown.origin : shown.created_by} />
        </>
      }
      actions={
        <>
          <Select
            label="Version"
            size="sm"
            className="w-28"
            value={String(shown.version)}
            onValueChange={(next) => void navigate({ search: (before) => ({ ...before, template: name, tversion: Number(next) }) })}
            options={options}
          />
          {all.length > 1 && (
            <Select
              label="Compare with"
              size="sm"
              className="w-40"
              value={base ? String(base.version) : NONE}
              onValueChange={(next) =>
                void navigate({ search: (before) => ({ ...before, template: name, tbase: next === NONE ? undefined : Number(next) }) })
              }
              options={[{ value: NONE, label: "No comparison" }, ...options.map((option) => ({ ...option, label: `Against ${option.label.toLowerCase()}` }))]}
            />
          )}
          <Button size="sm" disabled={refusal !== undefined} title={refusal} onClick={() => setEditing(true)}>
            <Pencil aria-hidden />
            Edit
          </Button>
          <Button
            size="icon"
            variant="danger-ghost"
            disabled={refusal !== undefined}
            title={refusal ?? "Delete the template"}
            aria-label={`Delete ${name}`}
            onClick={() => setDeleting(true)}
          >
            <Trash2 aria-hidden />
          </Button>
        </>
      }
    >
      <div className="flex min-w-0 flex-col gap-3">
        <p className="flex flex-wrap items-center gap-1 text-xs text-muted">
          Variables:
          {shown.variables.length === 0 ? " none" : shown.variables.map((variable) => <Badge key={variable}>{variable}</Badge>)}
        </p>
        {base ? (
          <Suspense fallback={<Skeleton className="h-60" />}>
            <DiffView
              before={messagesText(base.messages)}
              after={messagesText(shown.messages)}
              language="text"
              layout={search.layout ?? (isWide ? "split" : "unified")}
              label={`Version ${base.version} and version ${shown.version} of ${name}`}
              className="max-h-[60vh]"
            />
          </Suspense>
        ) : (
          <MessageView messages={shown.messages} />
        )}
      </div>
      <TemplateDialog
        template={{ ...shown, current_version: current.version }}
        open={editing}
        onOpenChange={setEditing}
        onSaved={() => {
          setEditing(false);
          void navigate({ search: { tab: "templates", template: name } });
        }}
      />
      <DeleteTemplate name={name} versions={versions.data.pagination.total} open={deleting} onOpenChange={setDeleting} onGone={onGone} />
    </Panel>
  );
}

interface DeleteTemplateProps {
  name: string;
  versions: number;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onGone: () => void;
}

function DeleteTemplate({ name, versions, open, onOpenChange, onGone }: DeleteTemplateProps) {
  const path = useAgentPath();
  const queries = useQueryClient();
  const remove = api.useMutation("delete", TEMPLATE, {
    onSuccess: async () => {
      onOpenChange(false);
      onGone();
      await queries.invalidateQueries({ queryKey: ["get", TEMPLATES] });
      toast.success(`Template ${name} deleted`);
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete the template ${name}`}
      confirmLabel="Delete the template"
      danger
      requireText={name}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ params: { path: { ...path, name } } })}
    >
      <p>
        It goes away for good, with its {versions} {versions === 1 ? "version" : "versions"}. Programs that fetch it by name are refused.
      </p>
    </ConfirmDialog>
  );
}
