import { Background, Controls, type Edge, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { useMemo } from "react";
import { cn } from "@/components/cn";
import { type GraphEdge, type GraphNode, layoutGraph } from "@/components/graph/graph-layout";
import { statusLabel, toneOfStatus } from "@/components/status-badge";

export type StepState = { status: string; count: number };

type Data = { step: GraphNode; state: StepState | undefined; holds: boolean; isSelected: boolean };
type StepNode = Node<Data, "step">;

export type WorkflowGraphProps = {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
  /** What has become of each step, by its id in the graph. */
  states?: ReadonlyMap<string, StepState>;
  selected?: string | null;
  onSelect?: (id: string) => void;
  label: string;
};

const TYPES = { step: StepBox };
const BACK_FROM = "back-from";
const BACK_TO = "back-to";
const BORDER: Record<ReturnType<typeof toneOfStatus>, string> = {
  neutral: "border-line-strong",
  good: "border-good",
  bad: "border-bad",
  warn: "border-warn",
  info: "border-info",
  accent: "border-accent",
};
const DOT: Record<ReturnType<typeof toneOfStatus>, string> = {
  neutral: "bg-line-strong",
  good: "bg-good",
  bad: "bg-bad",
  warn: "bg-warn",
  info: "bg-info",
  accent: "bg-accent",
};

/** The steps of a workflow and what leads from one to the next; loopbacks are dashed. Give its parent a height. */
export function WorkflowGraph({ nodes, edges, states, selected = null, onSelect, label }: WorkflowGraphProps) {
  const boxes = useMemo(() => layoutGraph(nodes, edges), [nodes, edges]);
  const flowNodes = useMemo<StepNode[]>(() => {
    const holding = new Set(nodes.map((node) => node.parent));
    return nodes.map((step) => {
      const { x, y, width, height } = boxes.get(step.id) ?? { x: 0, y: 0, width: 0, height: 0 };
      return {
        id: step.id,
        type: "step",
        position: { x, y },
        width,
        height,
        parentId: step.parent ?? undefined,
        extent: step.parent === null ? undefined : "parent",
        draggable: false,
        connectable: false,
        ariaLabel: [step.label, step.type, states?.get(step.id)?.status].filter(Boolean).join(", "),
        data: { step, state: states?.get(step.id), holds: holding.has(step.id), isSelected: step.id === selected },
      };
    });
  }, [nodes, boxes, states, selected]);
  const flowEdges = useMemo<Edge[]>(
    () =>
      edges.map(({ source, target, condition, is_loopback }, index) => ({
        id: `${index} ${source} ${target}`,
        source,
        target,
        // Back up beside the steps, not across them.
        sourceHandle: is_loopback ? BACK_FROM : undefined,
        targetHandle: is_loopback ? BACK_TO : undefined,
        label: condition ?? undefined,
        type: "smoothstep",
        // Above the containers that it may lie in.
        zIndex: 1,
        style: { stroke: "var(--line-strong)", strokeDasharray: is_loopback ? "5 4" : undefined },
        labelStyle: { fill: "var(--muted)", fontSize: 11 },
        labelBgStyle: { fill: "var(--canvas)" },
        markerEnd: { type: MarkerType.ArrowClosed, color: "var(--line-strong)", width: 16, height: 16 },
        focusable: false,
      })),
    [edges],
  );
  return (
    <div role="group" aria-label={label} className="h-full min-h-64 w-full [&_[class*=attribution]]:bg-transparent! [&_[class*=attribution]_a]:text-muted!">
      <ReactFlow
        // A graph of other steps is fitted anew; one whose states change stays where it was moved to.
        key={nodes.map((node) => node.id).join("\n")}
        nodes={flowNodes}
        edges={flowEdges}
        nodeTypes={TYPES}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.08 }}
        minZoom={0.15}
        maxZoom={1.5}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        onNodeClick={(_, node) => onSelect?.(node.id)}
        onSelectionChange={({ nodes: chosen }) => chosen[0] !== undefined && onSelect?.(chosen[0].id)}
      >
        <Background gap={20} color="var(--line)" />
        <Controls
          showInteractive={false}
          className="overflow-hidden rounded-md border bg-surface shadow-float [&_button]:grid [&_button]:size-7 [&_button]:place-items-center [&_button]:hover:bg-hover [&_svg]:size-3 [&_svg]:fill-current"
        />
      </ReactFlow>
    </div>
  );
}

function StepBox({ data: { step, state, holds, isSelected } }: NodeProps<StepNode>) {
  const tone = state === undefined ? null : toneOfStatus(state.status);
  return (
    <div
      className={cn(
        "h-full w-full rounded-md border bg-surface text-left",
        holds && "bg-surface/60",
        tone === null ? "border-line-strong" : BORDER[tone],
        isSelected && "outline-2 outline-offset-1 outline-accent",
      )}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} className="opacity-0" />
      <div className="flex items-center gap-2 px-2.5 py-1.5">
        {tone !== null && state !== undefined && (
          <span
            title={statusLabel(state.status)}
            className={cn("size-2 shrink-0 rounded-full", DOT[tone], state.status === "running" && "animate-pulse")}
          />
        )}
        <span className="min-w-0 flex-1">
          <span className="block truncate text-xs font-medium" title={step.label}>
            {step.label}
          </span>
          <span className="block truncate text-2xs text-muted">
            {step.type}
            {step.agent !== null && ` · ${step.agent}`}
            {state !== undefined && ` · ${statusLabel(state.status).toLowerCase()}`}
            {state !== undefined && state.count > 1 && ` × ${state.count}`}
          </span>
        </span>
      </div>
      <Handle type="source" position={Position.Bottom} isConnectable={false} className="opacity-0" />
      <Handle type="target" id={BACK_TO} position={Position.Right} isConnectable={false} className="opacity-0" style={{ top: "30%" }} />
      <Handle type="source" id={BACK_FROM} position={Position.Right} isConnectable={false} className="opacity-0" style={{ top: "70%" }} />
    </div>
  );
}
