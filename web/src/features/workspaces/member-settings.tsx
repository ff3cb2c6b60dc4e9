import { Panel } from "@/components/ui/panel";

export function MemberSettingsPage() {
  return <Panel title="Member settings">{null}</Panel>;
}
