import { keepPreviousData } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Schemas } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { ProblemNotice } from "@/components/problem-notice";
import { Field } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Textarea } from "@/components/ui/textarea";

const DELAY_MS = 300;
const EXAMPLE = "C-123456 writes from ada@example.com, card 4111 1111 1111 1111, from 203.0.113.7";

/** What would be stored of a text, by the rules in the form, saved or not. */
export function MaskingPreview({ masking }: { masking: Schemas["MaskingRules"] }) {
  const workspaceId = useWorkspaceId();
  const [text, setText] = useState(EXAMPLE);
  const complete = { ...masking, rules: (masking.rules ?? []).filter((rule) => rule.name !== "" && rule.pattern !== "") };
  const asked = useDelayed(JSON.stringify({ text, masking: complete }));
  const preview = api.useQuery(
    "post",
    "/api/v1/workspaces/{workspace_id}/traces/settings/preview",
    { params: { path: { workspace_id: workspaceId } }, body: JSON.parse(asked) as Schemas["MaskingPreviewIn"] },
    { placeholderData: keepPreviousData, retry: false },
  );
  return (
    <Panel title="Try it" description="What would be stored, by the rules above, saved or not. Nothing of it is kept.">
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Sent">{(control) => <Textarea {...control} rows={4} value={text} onChange={(event) => setText(event.target.value)} />}</Field>
        <div className="flex min-w-0 flex-col gap-1">
          <h3 className="text-xs font-medium">Stored</h3>
          {preview.error ? (
            <ProblemNotice error={preview.error} />
          ) : (
            <p role="status" className="min-h-20 rounded-md border border-line bg-sunken px-2.5 py-1.5 text-sm break-words whitespace-pre-wrap">
              {masking.content === "drop" ? <span className="text-muted">Message content is not stored. As the text of an attribute: </span> : null}
              {preview.data?.text ?? ""}
            </p>
          )}
        </div>
      </div>
    </Panel>
  );
}

function useDelayed(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), DELAY_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
