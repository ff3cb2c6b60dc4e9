import { Bot, Boxes, Braces, Database, Link2, MessageSquare, Scale, ShieldCheck, Wrench } from "lucide-react";
import { cn } from "@/components/cn";

interface Look {
  label: string;
  icon: typeof Bot;
  text: string;
  bar: string;
}

const OTHER: Look = { label: "Other", icon: Braces, text: "text-series-6", bar: "bg-series-6" };

/** One colour for each kind, the same in the tree, in the waterfall and in the panel. */
const LOOKS: Record<string, Look> = {
  agent: { label: "Agent", icon: Bot, text: "text-series-1", bar: "bg-series-1" },
  llm: { label: "Model call", icon: MessageSquare, text: "text-series-2", bar: "bg-series-2" },
  tool: { label: "Tool", icon: Wrench, text: "text-series-3", bar: "bg-series-3" },
  retriever: { label: "Retriever", icon: Database, text: "text-series-5", bar: "bg-series-5" },
  embedding: { label: "Embedding", icon: Boxes, text: "text-series-5", bar: "bg-series-5" },
  chain: { label: "Chain", icon: Link2, text: "text-series-6", bar: "bg-series-6" },
  guardrail: { label: "Guardrail", icon: ShieldCheck, text: "text-series-4", bar: "bg-series-4" },
  evaluator: { label: "Evaluator", icon: Scale, text: "text-series-4", bar: "bg-series-4" },
  other: OTHER,
};

export function kindLabel(kind: string): string {
  return (LOOKS[kind] ?? OTHER).label;
}

export function kindBar(kind: string): string {
  return (LOOKS[kind] ?? OTHER).bar;
}

export function KindIcon({ kind, className }: { kind: string; className?: string }) {
  const { icon: Icon, text } = LOOKS[kind] ?? OTHER;
  return <Icon aria-hidden className={cn("size-3.5 shrink-0", text, className)} />;
}
