import { ApiProblem } from "@/api/problems";
import { Combobox } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { cronProblem, cronSentence, timeZones, zoneProblem } from "./cron";

export type ScheduleDraft = { name: string; cron: string; timeZone: string };
export type ScheduleErrors = Partial<Record<keyof ScheduleDraft, string>>;

export interface ScheduleFieldsProps {
  draft: ScheduleDraft;
  errors: ScheduleErrors;
  onChange: (next: Partial<ScheduleDraft>) => void;
}

let zones: { value: string; label: string }[] | null = null;

function zoneOptions(): { value: string; label: string }[] {
  zones ??= timeZones().map((value) => ({ value, label: value }));
  return zones;
}

export function scheduleErrors({ name, cron, timeZone }: ScheduleDraft): ScheduleErrors {
  const errors: ScheduleErrors = {};
  if (name.trim() === "") errors.name = "Give it a name of its own";
  const wrong = cronProblem(cron);
  if (wrong !== null) errors.cron = wrong;
  const zone = zoneProblem(timeZone);
  if (zone !== null) errors.timeZone = zone;
  return errors;
}

/** What the server refused, by field. */
export function refusedSchedule(error: unknown): ScheduleErrors {
  if (!(error instanceof ApiProblem)) return {};
  const at = (pointer: string) => error.errors.find((one) => one.pointer === pointer)?.detail;
  return { name: at("/name") ?? (error.type === "duplicate-schedule" ? error.detail : undefined), cron: at("/cron"), timeZone: at("/time_zone") };
}

export function ScheduleFields({ draft, errors, onChange }: ScheduleFieldsProps) {
  return (
    <div className="grid gap-x-4 gap-y-3 sm:grid-cols-3">
      <Field label="Name" required error={errors.name}>
        {(control) => <Input {...control} autoComplete="off" maxLength={100} value={draft.name} onChange={(event) => onChange({ name: event.target.value })} />}
      </Field>
      <Field label="Cron" required error={errors.cron} hint={cronSentence(draft.cron) ?? "Minute, hour, day of month, month, day of week"}>
        {(control) => <Input {...control} autoComplete="off" spellCheck={false} className="font-mono" value={draft.cron} onChange={(event) => onChange({ cron: event.target.value })} />}
      </Field>
      <Field label="Time zone" required error={errors.timeZone}>
        {(control) => <Combobox {...control} value={draft.timeZone} onValueChange={(timeZone) => onChange({ timeZone })} searchPlaceholder="Search time zones" options={zoneOptions()} />}
      </Field>
    </div>
  );
}

export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
