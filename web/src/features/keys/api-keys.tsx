import { Panel } from "@/components/ui/panel";

export function ApiKeysPage() {
  return <Panel title="Api keys">{null}</Panel>;
}
