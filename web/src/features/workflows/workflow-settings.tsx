import { Panel } from "@/components/ui/panel";

export function WorkflowSettingsPage() {
  return <Panel title="Workflow settings">{null}</Panel>;
}
