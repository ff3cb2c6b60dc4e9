import { getRouteApi, useBlocker } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { ApiProblem, type FieldProblem } from "@/api/problems";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { useMedia } from "@/components/use-media";
import { ConfigEditor, useReadYaml } from "./config/config-editor";
import { STARTING_POINT } from "./config/starting-point";
import { type Json, writeYaml } from "./config/yaml-write";
import { useIntentKey } from "./intent-key";
import { useAgentPath, useRefreshAgents } from "./use-agent-path";
import { useHistory } from "./versions/use-history";
import { useConfig } from "./versions/version-document";

const DiffView = lazy(() => import("@/components/editor/diff-view").then((module) => ({ default: module.DiffView })));

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

export function EditTab({ agent }: { agent: Schemas["AgentOut"] }) {
  const mayWrite = useMay("write:workspace");
  const search = route.useSearch();
  const base = search.version ?? agent.latest_version ?? undefined;
  const config = useConfig(base);
  if (agent.archived || !mayWrite) {
    return (
      <EmptyState title="This config cannot be edited">
        {agent.archived ? "The agent is archived; take it out of the archive first." : `${lacking("write:workspace")}.`}
      </EmptyState>
    );
  }
  if (base === undefined) return <Editor key="first" agent={agent} base={undefined} original="" />;
  if (config.error) return <ProblemNotice error={config.error} retry={() => void config.refetch()} />;
  if (!config.data) return <Skeleton className="h-96" />;
  return <Editor key={base} agent={agent} base={base} original={writeYaml(config.data.config as Json)} />;
}

const NO_ERRORS: readonly FieldProblem[] = [];

function Editor({ agent, base, original }: { agent: Schemas["AgentOut"]; base: number | undefined; original: string }) {
  const path = useAgentPath();
  const navigate = route.useNavigate();
  const refresh = useRefreshAgents();
  const keyOf = useIntentKey();
  const { versions } = useHistory();
  const isWide = useMedia("(min-width: 1280px)");
  const [text, setText] = useState(base === undefined ? STARTING_POINT : original);
  const [note, setNote] = useState("");
  const [view, setView] = useState<"edit" | "review">("edit");
  const [sent, setSent] = useState("");
  const document = useReadYaml(text);
  const isChanged = text !== original;
  const add = api.useMutation("post", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs");
  const errors = useMemo(() => (add.error instanceof ApiProblem ? add.error.errors : NO_ERRORS), [add.error]);
  const blocker = useBlocker({
    shouldBlockFn: () => isChanged && !add.isSuccess,
    enableBeforeUnload: isChanged && !add.isSuccess,
    withResolver: true,
  });
  const canSave = isChanged && document.problems.length === 0 && !add.isPending;
  const save = () => {
    if (!canSave) return;
    setSent(text);
    const body = { config: document.value as Schemas["ConfigDocument"], note: note.trim() === "" ? null : note.trim() };
    add.mutate(
      { params: { path }, headers: { "Idempotency-Key": keyOf(body) }, body },
      {
        onSuccess: async ({ version, live_in: live }) => {
          const known = version <= (agent.latest_version ?? 0);
          await refresh();
          const where = live.length > 0 ? `live in ${live.join(", ")}` : "live nowhere yet";
          toast.success(known ? `Version ${version} says exactly this already` : `Version ${version} added, ${where}`);
          await navigate({ search: { version }, ignoreBlocker: true });
        },
        onError: () => setView("edit"),
      },
    );
  };
  const refused = sent === text ? errors.filter(({ pointer }) => pointer.startsWith("/config")) : NO_ERRORS;
  return (
    <>
      <Panel
        title={base === undefined ? "Version 1" : `New version from version ${base}`}
        description={
          base === undefined
            ? "The first version of an agent is live in production at once. YAML, or JSON."
            : "Versions never change: what is saved here is a new one, and goes live when it is promoted. YAML, or JSON."
        }
        actions={
          <>
            {versions.items.length > 1 && (
              <Select
                label="Begin with"
                size="sm"
                className="w-36"
                value={String(base)}
                onValueChange={(next) => void navigate({ search: (before) => ({ ...before, version: Number(next) }) })}
                options={versions.items.map(({ version, live_in: live }) => ({
                  value: String(version),
                  label: `From version ${version}`,
                  hint: live.length > 0 ? `live in ${live.join(", ")}` : undefined,
                }))}
              />
            )}
            <Segmented
              label="View"
              value={view}
              onValueChange={setView}
              options={[
                { value: "edit", label: "Edit" },
                { value: "review", label: "Review changes", disabled: base === undefined },
              ]}
            />
          </>
        }
      >
        <div className="flex flex-col gap-3">
          {view === "edit" ? (
            <ConfigEditor text={text} onTextChange={setText} refused={refused} label="Config" minHeight={360} onSave={save} className="max-h-[62vh]" />
          ) : isChanged ? (
            <Suspense fallback={<Skeleton className="h-96" />}>
              <DiffView before={original} after={document.problems.length > 0 ? text : writeYaml(document.value)} language="yaml" layout={isWide ? "split" : "unified"} label={`Changes to version ${base ?? 0}`} className="max-h-[62vh]" />
            </Suspense>
          ) : (
            <EmptyState title="Nothing is changed yet" />
          )}
          {add.error && sent === text && refused.length < Math.max(1, errors.length) && <ProblemNotice error={add.error} />}
          <form
            className="flex flex-wrap items-end gap-2"
            onSubmit={(event) => {
              event.preventDefault();
              save();
            }}
          >
            <Field label="Note" hint="What changes, and why: the message of the version." className="min-w-60 flex-1">
              {(control) => <Input {...control} value={note} maxLength={2000} onChange={(event) => setNote(event.target.value)} />}
            </Field>
            <div className="flex gap-2 pb-5.5">
              <Button disabled={!isChanged} onClick={() => setText(original)}>
                Discard changes
              </Button>
              <Button
                type="submit"
                variant="primary"
                pending={add.isPending}
                disabled={!canSave}
                title={isChanged ? (document.problems.length > 0 ? "The text cannot be read yet" : "⌘S or Ctrl+S in the editor") : "Nothing is changed"}
              >
                {base === undefined ? "Save version 1" : "Save as new version"}
              </Button>
            </div>
          </form>
        </div>
      </Panel>
      <ConfirmDialog
        open={blocker.status === "blocked"}
        onOpenChange={(open) => {
          if (!open && blocker.status === "blocked") blocker.reset();
        }}
        title="Leave without saving?"
        confirmLabel="Discard the changes"
        danger
        onConfirm={() => {
          if (blocker.status === "blocked") blocker.proceed();
        }}
      >
        <p>The config was changed and is not saved as a version.</p>
      </ConfirmDialog>
    </>
  );
}
