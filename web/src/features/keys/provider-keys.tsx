import { Panel } from "@/components/ui/panel";

export function ProviderKeysPage() {
  return <Panel title="Provider keys">{null}</Panel>;
}
