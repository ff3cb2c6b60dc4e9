import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { api, http, idempotencyKey } from "@/api/client";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/select";
import { WorkflowEditor } from "@/features/workflows/workflow-editor";

const LIST = "/api/v1/workspaces/{workspace_id}/workflows";
const BLANK = "blank";
const FIRST = `name: greet
description: Says hello
inputs:
  who: {type: string, default: you}
outputs:
  text: \${steps.hello.outputs.text}
steps:
  - id: hello
    kind: map
    mapping:
      text: "Hello \${inputs.who}"
`;
const route = getRouteApi("/w/$workspaceId/workflows/new");

export function NewWorkflowPage() {
  const { workspaceId } = route.useParams();
  const { example } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("write:workspace");
  const [intent, setIntent] = useState(idempotencyKey);
  const [source, setSource] = useState(FIRST);
  const path = { workspace_id: workspaceId };
  const examples = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/workflows/examples", {
    params: { path, query: { limit: 100 } },
  });
  const chosen = examples.data?.results.find((one) => one.name === example);
  useEffect(() => {
    if (chosen !== undefined) setSource(chosen.source);
  }, [chosen]);
  const create = useMutation({
    mutationFn: async () =>
      (await http.POST(LIST, { params: { path }, headers: { "Idempotency-Key": intent }, body: { source } })).data!,
    onSuccess: async (workflow) => {
      toast.success(`${workflow.name} is stored`);
      await queries.invalidateQueries({ queryKey: ["get", LIST] });
      await navigate({ to: "/w/$workspaceId/workflows/$name", params: { workspaceId, name: workflow.name } });
    },
  });

  function edit(next: string) {
    setSource(next);
    // Another text is another intent: what was refused may be sent again.
    setIntent(idempotencyKey());
  }

  return (
    <Page
      title="New workflow"
      breadcrumbs={[{ label: "Workflows", to: `/w/${workspaceId}/workflows` }, { label: "New" }]}
      fill
      actions={
        <>
          <Select
            label="Begin with"
            className="w-56"
            value={example ?? BLANK}
            onValueChange={(next) => {
              if (next === BLANK) edit(FIRST);
              void navigate({ search: { example: next === BLANK ? undefined : next }, replace: true });
            }}
            options={[
              { value: BLANK, label: "A small one" },
              ...(examples.data?.results ?? []).map(({ name, description }) => ({ value: name, label: name, hint: description })),
            ]}
          />
          <Button
            variant="primary"
            pending={create.isPending}
            disabled={!mayWrite}
            title={mayWrite ? undefined : lacking("write:workspace")}
            onClick={() => create.mutate()}
          >
            Store
          </Button>
        </>
      }
    >
      {create.error !== null && (
        <div className="p-3">
          <ProblemNotice error={create.error} />
        </div>
      )}
      <WorkflowEditor source={source} onSource={edit} onSave={mayWrite ? () => create.mutate() : undefined} />
    </Page>
  );
}
