import { Panel } from "@/components/ui/panel";

export function ServiceAccountsPage() {
  return <Panel title="Service accounts">{null}</Panel>;
}
