import { Page } from "@/components/page";

export function WorkspaceListPage() {
  return <Page title="Workspace list">{null}</Page>;
}
