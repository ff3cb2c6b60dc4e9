import type { FieldProblem } from "@/api/problems";
import { api } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { Combobox } from "@/components/ui/combobox";
import { Field, type FieldControlProps } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { type SettingField, type SettingsForm, runtimeKind } from "./settings";

export interface SettingsFieldsProps {
  runtime: string;
  form: SettingsForm;
  onFormChange: (form: SettingsForm) => void;
  errors: readonly FieldProblem[];
  disabled?: boolean;
}

export function SettingsFields({ runtime, form, onFormChange, errors, disabled = false }: SettingsFieldsProps) {
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      {runtimeKind(runtime).fields.map((field) => {
        const set = (value: string) => onFormChange({ ...form, [field.name]: value });
        const value = form[field.name] ?? "";
        const error = errors.find(({ pointer }) => pointer === `/runtime_settings/${field.name}`)?.detail;
        if (field.kind === "switch") {
          return (
            <div key={field.name} className="flex flex-col gap-1">
              <Switch checked={value === "true"} onCheckedChange={(on) => set(String(on))} label={field.label} disabled={disabled} />
              <p className="text-xs text-muted">{field.hint}</p>
              {error && <p className="text-xs text-bad">{error}</p>}
            </div>
          );
        }
        return (
          <Field key={field.name} label={field.label} hint={field.hint} error={error} required={field.required}>
            {(control) => <Control field={field} value={value} onValueChange={set} control={control} disabled={disabled} />}
          </Field>
        );
      })}
    </div>
  );
}

interface ControlProps {
  field: SettingField;
  value: string;
  onValueChange: (value: string) => void;
  control: FieldControlProps;
  disabled: boolean;
}

function Control({ field, value, onValueChange, control, disabled }: ControlProps) {
  if (field.kind === "choice") {
    return <Select {...control} value={value} onValueChange={onValueChange} options={field.options ?? []} disabled={disabled} />;
  }
  if (field.kind === "workflow") return <WorkflowChoice value={value} onValueChange={onValueChange} control={control} disabled={disabled} />;
  return (
    <Input
      {...control}
      value={value}
      onChange={(event) => onValueChange(event.target.value)}
      inputMode={field.kind === "text" ? "url" : "decimal"}
      placeholder={field.fallback ?? (field.kind === "text" ? "https://" : undefined)}
      disabled={disabled}
      spellCheck={false}
      autoComplete="off"
    />
  );
}

function WorkflowChoice({ value, onValueChange, control, disabled }: Omit<ControlProps, "field">) {
  const workspaceId = useWorkspaceId();
  const workflows = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/workflows", {
    params: { path: { workspace_id: workspaceId }, query: { limit: 100 } },
  });
  const names = [...new Set([...(workflows.data?.results.map(({ name }) => name) ?? []), ...(value ? [value] : [])])];
  return (
    <Combobox
      {...control}
      value={value || undefined}
      onValueChange={onValueChange}
      options={names.map((name) => ({ value: name, label: name }))}
      placeholder="Choose a workflow…"
      emptyText={workflows.isPending ? "Loading…" : "The workspace has no such workflow."}
      disabled={disabled}
    />
  );
}
