import { Page } from "@/components/page";

export function WorkflowListPage() {
  return <Page title="Workflow list">{null}</Page>;
}
