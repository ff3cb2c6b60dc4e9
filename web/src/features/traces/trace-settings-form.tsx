import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { api, type Schemas } from "@/api/client";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { formatDateTime, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Switch } from "@/components/ui/switch";
import { Textarea } from "@/components/ui/textarea";
import { MaskingPreview } from "@/features/traces/masking-preview";
import { MaskingRules } from "@/features/traces/masking-rules";

type Detector = Schemas["Detector"];

const DETECTORS: [Detector, string, string][] = [
  ["email", "E-mail addresses", "[email]"],
  ["phone", "Phone numbers", "[phone]"],
  ["credit_card", "Credit cards that pass Luhn's check", "[credit_card]"],
  ["iban", "IBANs", "[iban]"],
  ["ip_address", "IP addresses", "[ip_address]"],
  ["secrets", "Keys, tokens, passwords in addresses", "[secret]"],
];

export function TraceSettingsForm({ settings }: { settings: Schemas["TraceSettingsOut"] }) {
  const workspaceId = useWorkspaceId();
  const queries = useQueryClient();
  const mayAdmin = useMay("admin:workspace");
  const [masking, setMasking] = useState(settings.masking);
  const [dropped, setDropped] = useState((settings.masking.drop_attributes ?? []).join("\n"));
  const [days, setDays] = useState(settings.retention_days === null ? "" : String(settings.retention_days));
  const [asking, setAsking] = useState(false);
  const save = api.useMutation("put", "/api/v1/workspaces/{workspace_id}/traces/settings");
  const refused = mayAdmin ? undefined : lacking("admin:workspace");

  const rules: Schemas["MaskingRules"] = { ...masking, drop_attributes: dropped.split("\n").map((line) => line.trim()).filter(Boolean) };
  const retention = days.trim() === "" ? null : Number(days);
  const wrongDays = retention !== null && (!Number.isInteger(retention) || retention < 1);
  const before = { masking: settings.masking, retention: settings.retention_days };
  const changed = JSON.stringify({ masking: rules, retention }) !== JSON.stringify(before);
  const shorter = retention !== null && (settings.effective_retention_days === null || retention < settings.effective_retention_days);
  const drops = rules.content === "drop" && settings.masking.content !== "drop";

  const submit = () =>
    save.mutate(
      {
        params: { path: { workspace_id: workspaceId } },
        body: { masking: rules, retention_days: retention, version: settings.version },
      },
      {
        onSuccess: async () => {
          setAsking(false);
          toast.success("Saved; it holds for spans that come from now on");
          await queries.invalidateQueries(api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/traces/settings", { params: { path: { workspace_id: workspaceId } } }));
        },
      },
    );
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (wrongDays || !changed || !mayAdmin) return;
        if (shorter || drops) setAsking(true);
        else submit();
      }}
    >
      <Panel title="Masking" description="Done before anything is stored, counted, previewed or logged. What is stored already is not masked again.">
        <fieldset disabled={!mayAdmin} className="flex flex-col gap-4">
          <div role="group" aria-labelledby="detectors">
            <h3 id="detectors" className="mb-1 text-xs font-medium">
              What is recognised without a rule
            </h3>
            <div className="grid gap-x-6 sm:grid-cols-2">
              {DETECTORS.map(([detector, label, becomes]) => (
                <Checkbox
                  key={detector}
                  label={
                    <>
                      {label} <span className="font-mono text-2xs text-muted">{becomes}</span>
                    </>
                  }
                  disabled={!mayAdmin}
                  title={refused}
                  checked={(masking.detectors ?? []).includes(detector)}
                  onCheckedChange={(on) =>
                    setMasking({ ...masking, detectors: DETECTORS.map(([one]) => one).filter((one) => (one === detector ? on : (masking.detectors ?? []).includes(one))) })
                  }
                />
              ))}
            </div>
          </div>
          <MaskingRules rules={masking.rules ?? []} onChange={(next) => setMasking({ ...masking, rules: next })} />
          <Field label="Attributes that are not stored" hint="One key a line, exactly or with * at the end.">
            {(control) => <Textarea {...control} rows={3} className="font-mono text-xs" placeholder="http.request.header.*" value={dropped} onChange={(event) => setDropped(event.target.value)} />}
          </Field>
          <div>
            <Switch
              label="Store message content"
              checked={masking.content !== "drop"}
              disabled={!mayAdmin}
              title={refused}
              onCheckedChange={(on) => setMasking({ ...masking, content: on ? "keep" : "drop" })}
            />
            <p className="mt-0.5 text-xs text-muted">
              Off, no input and no output is stored: no messages, prompts, tool arguments and results, retrieved documents. Samples and rubrics need them.
            </p>
          </div>
        </fieldset>
      </Panel>
      <MaskingPreview masking={rules} />
      <Panel title="Retention">
        <Field
          label="Days that traces are kept"
          className="max-w-xs"
          error={wrongDays ? "A whole number of days, 1 at least" : undefined}
          hint={
            settings.effective_retention_days === null
              ? "Empty: for ever, as this installation sets no limit."
              : `In force now: ${pluralise(settings.effective_retention_days, "day")}, the shorter one of this workspace's and the installation's.`
          }
        >
          {(control) => <Input {...control} inputMode="numeric" placeholder="for ever" disabled={!mayAdmin} title={refused} value={days} onChange={(event) => setDays(event.target.value)} />}
        </Field>
      </Panel>
      {save.error && !asking && <ProblemNotice error={save.error} />}
      <div className="flex flex-wrap items-center justify-end gap-3">
        {settings.updated_at && <span className="text-xs text-muted">Version {settings.version}, of {formatDateTime(settings.updated_at)}</span>}
        <Button type="submit" variant="primary" title={refused} disabled={!mayAdmin || !changed || wrongDays} pending={save.isPending}>
          Save
        </Button>
      </div>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={shorter ? `Keep traces for ${pluralise(retention ?? 0, "day")} only?` : "Store no message content?"}
        confirmLabel="Save"
        danger
        pending={save.isPending}
        error={save.error}
        onConfirm={submit}
      >
        {shorter && <p>At the next full hour traces that are older are deleted, with their spans, content and feedback. They do not come back.</p>}
        {drops && <p>From now on neither input nor output of any span is stored. What is stored already stays.</p>}
      </ConfirmDialog>
    </form>
  );
}
