import { Panel } from "@/components/ui/panel";

export function GeneralSettingsPage() {
  return <Panel title="General settings">{null}</Panel>;
}
