import { Page } from "@/components/page";

export function QuestionListPage() {
  return <Page title="Question list">{null}</Page>;
}
