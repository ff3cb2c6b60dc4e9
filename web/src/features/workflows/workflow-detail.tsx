import { Page } from "@/components/page";

export function WorkflowDetailPage() {
  return <Page title="Workflow detail">{null}</Page>;
}
