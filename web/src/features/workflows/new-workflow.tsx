import { Page } from "@/components/page";

export function NewWorkflowPage() {
  return <Page title="New workflow">{null}</Page>;
}
