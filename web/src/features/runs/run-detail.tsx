import { Page } from "@/components/page";

export function RunDetailPage() {
  return <Page title="Run detail">{null}</Page>;
}
