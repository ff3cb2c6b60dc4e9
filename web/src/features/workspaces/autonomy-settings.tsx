import { Panel } from "@/components/ui/panel";

export function AutonomySettingsPage() {
  return <Panel title="Autonomy settings">{null}</Panel>;
}
