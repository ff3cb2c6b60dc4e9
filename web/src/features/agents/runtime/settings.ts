import type { Json } from "../config/yaml-write";

export interface SettingField {
  name: string;
  label: string;
  kind: "text" | "number" | "money" | "choice" | "switch" | "workflow";
  hint: string;
  required?: boolean;
  /** What the server takes when it is left out. */
  fallback?: string;
  options?: readonly { value: string; label: string }[];
}

export interface RuntimeKind {
  value: string;
  label: string;
  /** Who executes the agent. */
  hint: string;
  fields: readonly SettingField[];
}

const IN_FLIGHT = { name: "in_flight", label: "In flight", kind: "number", hint: "Executions it is given at once, 1 to 256." } as const;

const SIDE_EFFECTS: SettingField = {
  name: "side_effects",
  label: "Side effects",
  kind: "choice",
  hint: "What executing it does to the world. Evaluations execute it thousands of times, so scans ask for this once.",
  options: [
    { value: "", label: "Not said yet" },
    { value: "none", label: "None" },
    { value: "sandboxed", label: "Sandboxed" },
  ],
};

const MAXIMUM_COST: SettingField = {
  name: "max_cost_usd",
  label: "Maximum cost (US$)",
  kind: "money",
  hint: "The most that one execution can cost. A budget in US dollars needs it.",
};

/** As docs/agents.md and the server's own shapes have them. */
export const RUNTIMES: readonly RuntimeKind[] = [
  {
    value: "prompt",
    label: "Prompt",
    hint: "The platform renders the prompt and calls the model.",
    fields: [
      {
        name: "replica",
        label: "This is a replica",
        kind: "switch",
        hint: "The config is a reconstruction of an agent that really runs elsewhere, known by its traces only.",
      },
    ],
  },
  {
    value: "workflow",
    label: "Workflow",
    hint: "A workflow of the workspace is the agent.",
    fields: [
      { name: "workflow", label: "Workflow", kind: "workflow", hint: "Its output “output”, or all of them as JSON, is the answer.", required: true },
      { name: "version", label: "Version", kind: "number", hint: "Left out, the latest one." },
      { ...IN_FLIGHT, fallback: "8" },
      { name: "timeout_s", label: "Timeout (s)", kind: "number", hint: "A run that has not ended by then is cancelled, and missing.", fallback: "600" },
    ],
  },
  {
    value: "http",
    label: "HTTP",
    hint: "An address of yours, which the platform calls.",
    fields: [
      { name: "url", label: "Address", kind: "text", hint: "Every execution is posted here, signed.", required: true },
      SIDE_EFFECTS,
      { name: "timeout_s", label: "Timeout (s)", kind: "number", hint: "For one request with its answer, 1 to 600.", fallback: "60" },
      { ...IN_FLIGHT, fallback: "8" },
      MAXIMUM_COST,
    ],
  },
  {
    value: "runner",
    label: "Runner",
    hint: "Processes of yours fetch the work; no port is open.",
    fields: [
      SIDE_EFFECTS,
      { ...IN_FLIGHT, fallback: "64" },
      { name: "lease_s", label: "Lease (s)", kind: "number", hint: "How long a task is a runner's without a heartbeat.", fallback: "60" },
      { name: "timeout_s", label: "Timeout (s)", kind: "number", hint: "For one execution with all its leases.", fallback: "900" },
      { name: "max_attempts", label: "Attempts", kind: "number", hint: "How often a task is leased at most, 1 to 20.", fallback: "3" },
      MAXIMUM_COST,
    ],
  },
  { value: "observed", label: "Observed", hint: "Nobody: only its traces are seen.", fields: [] },
];

export function runtimeKind(runtime: string): RuntimeKind {
  return RUNTIMES.find(({ value }) => value === runtime) ?? { value: runtime, label: runtime, hint: "A runtime that a package of this installation brings.", fields: [] };
}

/** What a person has put into each field; "" is left out. */
export type SettingsForm = Readonly<Record<string, string>>;

export function formOf(settings: Readonly<Record<string, unknown>>): SettingsForm {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, value === null ? "" : String(value)]));
}

/** What is sent. A number that is none goes as it was typed: the server says what is wrong with it. */
export function settingsOf(runtime: string, form: SettingsForm): Record<string, Json> {
  const settings: Record<string, Json> = {};
  for (const { name, kind } of runtimeKind(runtime).fields) {
    const typed = (form[name] ?? "").trim();
    if (kind === "switch") settings[name] = typed === "true";
    else if (typed !== "") settings[name] = kind === "number" && Number.isFinite(Number(typed)) ? Number(typed) : typed;
  }
  return settings;
}
