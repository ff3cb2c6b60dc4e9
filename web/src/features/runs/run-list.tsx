import { Page } from "@/components/page";

export function RunListPage() {
  return <Page title="Run list">{null}</Page>;
}
