import { ChevronRight, Copy } from "lucide-react";
import { type KeyboardEvent, memo, useMemo, useRef, useState } from "react";
import { cn } from "./cn";
import { CopyButton } from "./copy-button";
import { formatCount } from "./format";
import { type JsonNode, childrenOf, countOf, previewOf } from "./json-tree";

export interface JsonViewProps {
  value: unknown;
  /** Levels that are open at first. */
  collapsedDepth?: number;
  label?: string;
  className?: string;
}

/** So many children of one node at once; the rest on demand, so that a huge value stays quick. */
const PAGE = 100;
/** A longer text is cut until somebody asks for it. */
const LONG_TEXT = 600;

export function JsonView({ value, collapsedDepth = 2, label = "JSON", className }: JsonViewProps) {
  const tree = useRef<HTMLDivElement>(null);
  const root: JsonNode = useMemo(() => ({ name: null, path: "$", value }), [value]);

  const rows = () => [...(tree.current?.querySelectorAll<HTMLElement>("[data-json-row]") ?? [])];
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-json-row]");
    if (!row || event.target !== row) return;
    const all = rows();
    const at = all.indexOf(row);
    const expanded = row.getAttribute("aria-expanded");
    let target: HTMLElement | undefined;
    if (event.key === "ArrowDown") target = all[at + 1];
    else if (event.key === "ArrowUp") target = all[at - 1];
    else if (event.key === "Home") target = all[0];
    else if (event.key === "End") target = all.at(-1);
    else if (event.key === "ArrowRight" && expanded === "true") target = all[at + 1];
    else if (event.key === "ArrowLeft") target = all.slice(0, at).findLast((above) => levelOf(above) < levelOf(row));
    else return;
    if (!target) return;
    event.preventDefault();
    event.stopPropagation();
    target.focus();
  };

  return (
    <div className={cn("relative min-w-0", className)}>
      <CopyButton
        text={() => JSON.stringify(value, null, 2) ?? String(value)}
        label="Copy JSON"
        className="absolute top-0 right-0 z-10 bg-surface"
      />
      <div
        ref={tree}
        role="tree"
        aria-label={label}
        onKeyDown={onKeyDown}
        className="overflow-x-auto pr-8 font-mono text-xs leading-5"
      >
        <Node node={root} depth={0} openDepth={collapsedDepth} first />
      </div>
    </div>
  );
}

interface NodeProps {
  node: JsonNode;
  depth: number;
  openDepth: number;
  first?: boolean;
}

const Node = memo(function Node({ node, depth, openDepth, first = false }: NodeProps) {
  const count = countOf(node.value);
  const branch = count !== null && count > 0;
  const [open, setOpen] = useState(depth < openDepth && (count ?? 0) <= PAGE);
  const [shown, setShown] = useState(PAGE);
  const children = branch && open ? childrenOf(node, shown) : [];

  const left = Math.min(PAGE * 5, (count ?? 0) - shown);

  return (
    <>
      <div
        data-json-row
        role="treeitem"
        aria-level={depth + 1}
        aria-selected={false}
        aria-expanded={branch ? open : undefined}
        tabIndex={first ? 0 : -1}
        style={{ paddingLeft: depth * 14 }}
        onClick={branch ? () => setOpen(!open) : undefined}
        onKeyDown={(event) => {
          if (event.target !== event.currentTarget || !branch) return;
          const turns = ["Enter", " ", open ? "ArrowLeft" : "ArrowRight"];
          if (!turns.includes(event.key)) return;
          event.preventDefault();
          event.stopPropagation();
          setOpen(!open);
        }}
        className="group flex min-w-0 items-start gap-1 rounded-sm pr-1 hover:bg-hover focus-visible:-outline-offset-1"
      >
        <ChevronRight aria-hidden className={cn("mt-1 size-3 shrink-0 text-muted", !branch && "invisible", open && "rotate-90")} />
        <span className="min-w-0 break-words whitespace-pre-wrap">
          {node.name !== null && (
            <>
              <span className="text-info">{node.name}</span>
              <span className="text-muted">: </span>
            </>
          )}
          <Value value={node.value} open={open} />
        </span>
        {node.name !== null && <CopyPath path={node.path} />}
      </div>
      {children.map((child) => (
        <Node key={child.path} node={child} depth={depth + 1} openDepth={openDepth} />
      ))}
      {branch && open && left > 0 && (
        <div
          data-json-row
          role="treeitem"
          aria-level={depth + 2}
          aria-selected={false}
          tabIndex={-1}
          style={{ paddingLeft: (depth + 1) * 14 + 16 }}
          onClick={() => setShown(shown + left)}
          onKeyDown={(event) => {
            if (event.key === "Enter" || event.key === " ") {
              event.preventDefault();
              setShown(shown + left);
            }
          }}
          className="cursor-pointer rounded-sm font-sans text-accent hover:underline focus-visible:-outline-offset-1"
        >
          Show {formatCount(left)} more of {formatCount(count - shown)}
        </div>
      )}
    </>
  );
});

function Value({ value, open }: { value: unknown; open: boolean }) {
  const [whole, setWhole] = useState(false);
  if (value === null || value === undefined) return <span className="text-muted">{String(value)}</span>;
  if (typeof value === "string") {
    const cut = !whole && value.length > LONG_TEXT;
    return (
      <>
        <span className="text-good">{JSON.stringify(cut ? value.slice(0, LONG_TEXT) : value)}</span>
        {cut && (
          <button
            type="button"
            onClick={(event) => {
              event.stopPropagation();
              setWhole(true);
            }}
            className="ml-1 rounded-sm font-sans text-accent hover:underline"
          >
            show all {formatCount(value.length)} characters
          </button>
        )}
      </>
    );
  }
  if (typeof value === "object") return <span className="text-muted">{open ? previewOf(value, 0) : previewOf(value, 80)}</span>;
  return <span className="text-warn">{String(value)}</span>;
}

function CopyPath({ path }: { path: string }) {
  return (
    <button
      type="button"
      tabIndex={-1}
      aria-label={`Copy path ${path}`}
      title={`Copy path ${path}`}
      onClick={(event) => {
        event.stopPropagation();
        void navigator.clipboard.writeText(path);
      }}
      className="mt-0.5 hidden shrink-0 text-muted group-hover:inline-flex hover:text-text"
    >
      <Copy aria-hidden className="size-3.5" />
    </button>
  );
}

function levelOf(row: HTMLElement): number {
  return Number(row.getAttribute("aria-level"));
}
