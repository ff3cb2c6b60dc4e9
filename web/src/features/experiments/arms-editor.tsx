import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { api, http } from "@/api/client";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import { Textarea } from "@/components/ui/textarea";
import { type ArmDraft, armDraft, MOST_ARMS } from "./experiment-draft";

interface ArmsEditorProps {
  workspaceId: string;
  agentId: string | undefined;
  arms: readonly ArmDraft[];
  onChange: (arms: ArmDraft[]) => void;
  error?: string;
}

export function ArmsEditor({ workspaceId, agentId, arms, onChange, error }: ArmsEditorProps) {
  const versions = useQuery({
    ...api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs", {
      params: { path: { workspace_id: workspaceId, agent_id: agentId ?? "" }, query: { limit: 100 } },
    }),
    enabled: agentId !== undefined,
  });
  const known = agentId === undefined ? [] : (versions.data?.results ?? []);
  const options = known.map(({ version, live_in, note }) => ({
    value: String(version),
    label: `v${version}${live_in.length > 0 ? ` · ${live_in.join(", ")}` : ""}`,
    hint: note ?? undefined,
  }));
  const set = (key: number, part: Partial<ArmDraft>) => onChange(arms.map((arm) => (arm.key === key ? { ...arm, ...part } : arm)));

  const copyOf = async (arm: ArmDraft) => {
    set(arm.key, { kind: "config" });
    const version = arm.version ?? known[0]?.version;
    if (agentId === undefined || version === undefined || arm.config !== "") return;
    const { data } = await http.GET("/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{version}", {
      params: { path: { workspace_id: workspaceId, agent_id: agentId, version } },
    });
    if (data) set(arm.key, { kind: "config", config: JSON.stringify(data.config, null, 2) });
  };

  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">Arms</legend>
      <ol className="flex flex-col gap-2">
        {arms.map((arm, index) => (
          <li key={arm.key} className="flex flex-col gap-2 rounded-md border border-line p-2">
            <div className="flex flex-wrap items-center gap-2">
              <span className="w-16 shrink-0">{index === 0 ? <Badge tone="accent">Baseline</Badge> : <span className="numeric pl-1 text-xs text-muted">Arm {index}</span>}</span>
              <Input aria-label={`Label of arm ${index}`} placeholder="Label" maxLength={100} className="w-40" value={arm.label} onChange={(event) => set(arm.key, { label: event.target.value })} />
              <Segmented
                label={`What arm ${index} is`}
                value={arm.kind}
                onValueChange={(kind) => (kind === "config" ? void copyOf(arm) : set(arm.key, { kind }))}
                options={[
                  { value: "version", label: "Version" },
                  { value: "config", label: "Only tried" },
                ]}
              />
              {arm.kind === "version" && (
                <Select
                  label={`Version of arm ${index}`}
                  className="w-56"
                  disabled={agentId === undefined}
                  value={arm.version === undefined ? undefined : String(arm.version)}
                  placeholder={agentId === undefined ? "Choose an agent first" : options.length === 0 && versions.data ? "No version yet" : "Choose a version"}
                  onValueChange={(version) =>
                    set(arm.key, { version: Number(version), label: arm.label === "" || /^v\d+$/.test(arm.label) ? `v${version}` : arm.label })
                  }
                  options={options}
                />
              )}
              <Button
                variant="ghost"
                size="icon"
                className="ml-auto"
                aria-label={`Remove arm ${index}`}
                disabled={arms.length <= 2}
                title={arms.length <= 2 ? "Two arms are the least" : "Remove"}
                onClick={() => onChange(arms.filter(({ key }) => key !== arm.key))}
              >
                <Trash2 aria-hidden />
              </Button>
            </div>
            {arm.kind === "config" && (
              <Textarea
                aria-label={`Configuration of arm ${index}, as JSON`}
                rows={10}
                spellCheck={false}
                className="font-mono text-xs"
                value={arm.config}
                onChange={(event) => set(arm.key, { config: event.target.value })}
              />
            )}
          </li>
        ))}
      </ol>
      {error && (
        <p role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
      <div>
        <Button size="sm" disabled={arms.length >= MOST_ARMS} title={arms.length >= MOST_ARMS ? `At most ${MOST_ARMS} arms` : undefined} onClick={() => onChange([...arms, armDraft(Date.now())])}>
          <Plus aria-hidden />
          Add an arm
        </Button>
      </div>
    </fieldset>
  );
}
