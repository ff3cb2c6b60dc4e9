import {
  Activity,
  Bot,
  ChartScatter,
  FlaskConical,
  GitPullRequestArrow,
  LayoutDashboard,
  ListChecks,
  type LucideIcon,
  MessageCircleQuestion,
  Play,
  Radar,
  Ruler,
  Settings,
  Table2,
  Target,
  Workflow,
} from "lucide-react";

export type Destination = { label: string; icon: LucideIcon; keys: string; to: WorkspacePath };

type WorkspacePath = `/w/$workspaceId${
  | ""
  | "/traces"
  | "/sessions"
  | "/agents"
  | "/samples"
  | "/rubrics"
  | "/objectives"
  | "/scans"
  | "/changesets"
  | "/clusters"
  | "/experiments"
  | "/workflows"
  | "/runs"
  | "/questions"
  | "/settings"}`;

/** The pages of a workspace in the order of the work: what happened, what is good, what gets better, what runs. */
export const NAVIGATION: { title: string; destinations: Destination[] }[] = [
  {
    title: "Observe",
    destinations: [
      { label: "Overview", icon: LayoutDashboard, keys: "g o", to: "/w/$workspaceId" },
      { label: "Traces", icon: Activity, keys: "g t", to: "/w/$workspaceId/traces" },
      { label: "Sessions", icon: ListChecks, keys: "g e", to: "/w/$workspaceId/sessions" },
      { label: "Agents", icon: Bot, keys: "g a", to: "/w/$workspaceId/agents" },
    ],
  },
  {
    title: "Measure",
    destinations: [
      { label: "Samples", icon: Table2, keys: "g m", to: "/w/$workspaceId/samples" },
      { label: "Rubrics", icon: Ruler, keys: "g r", to: "/w/$workspaceId/rubrics" },
      { label: "Objectives", icon: Target, keys: "g j", to: "/w/$workspaceId/objectives" },
    ],
  },
  {
    title: "Improve",
    destinations: [
      { label: "Scans", icon: Radar, keys: "g s", to: "/w/$workspaceId/scans" },
      { label: "Change sets", icon: GitPullRequestArrow, keys: "g c", to: "/w/$workspaceId/changesets" },
      { label: "Clusters", icon: ChartScatter, keys: "g l", to: "/w/$workspaceId/clusters" },
      { label: "Experiments", icon: FlaskConical, keys: "g x", to: "/w/$workspaceId/experiments" },
    ],
  },
  {
    title: "Automate",
    destinations: [
      { label: "Workflows", icon: Workflow, keys: "g w", to: "/w/$workspaceId/workflows" },
      { label: "Runs", icon: Play, keys: "g u", to: "/w/$workspaceId/runs" },
      { label: "Questions", icon: MessageCircleQuestion, keys: "g q", to: "/w/$workspaceId/questions" },
    ],
  },
  {
    title: "Workspace",
    destinations: [{ label: "Settings", icon: Settings, keys: "g ,", to: "/w/$workspaceId/settings" }],
  },
];

export const SETTINGS = [
  { label: "General", to: "/w/$workspaceId/settings/general" },
  { label: "Members", to: "/w/$workspaceId/settings/members" },
  { label: "API keys", to: "/w/$workspaceId/settings/keys" },
  { label: "Service accounts", to: "/w/$workspaceId/settings/service-accounts" },
  { label: "Models", to: "/w/$workspaceId/settings/models" },
  { label: "Autonomy", to: "/w/$workspaceId/settings/autonomy" },
  { label: "Traces", to: "/w/$workspaceId/settings/traces" },
  { label: "Workflows", to: "/w/$workspaceId/settings/workflows" },
  { label: "Webhooks", to: "/w/$workspaceId/settings/webhooks" },
] as const;

export const ACCOUNT_SECTIONS = [
  { label: "Profile", section: "profile" },
  { label: "Security", section: "security" },
  { label: "Signed in", section: "sessions" },
  { label: "Account", section: "account" },
  { label: "People", section: "people" },
  { label: "Usage", section: "usage" },
  { label: "Audit log", section: "audit-log" },
] as const;
