import { Panel } from "@/components/ui/panel";

export function WebhookSettingsPage() {
  return <Panel title="Webhook settings">{null}</Panel>;
}
