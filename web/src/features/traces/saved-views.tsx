import { Bookmark, Link2, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { toast } from "sonner";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Popover } from "@/components/ui/popover";
import { type TraceListSearch, traceListSearch } from "@/features/traces/search";

/** A named list: what is in its address, without what happens to be open, and the columns that it was saved with. */
export interface SavedView {
  name: string;
  search: TraceListSearch;
  columns?: string;
}

/** Under which name the grid keeps its columns, and what that is in this browser. */
export const GRID = "traces";
const GRID_KEY = `spectral.grid.${GRID}`;

const nameOf = (workspaceId: string) => `spectral.trace-views.${workspaceId}`;

export function readViews(workspaceId: string): SavedView[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(nameOf(workspaceId)) ?? "[]");
    if (!Array.isArray(kept)) return [];
    return kept.flatMap((one: unknown) => {
      if (typeof one !== "object" || one === null || !("name" in one) || !("search" in one)) return [];
      if (typeof one.name !== "string" || typeof one.search !== "object" || one.search === null) return [];
      const columns = "columns" in one && typeof one.columns === "string" ? one.columns : undefined;
      return [{ name: one.name, search: viewOf(traceListSearch(one.search as Record<string, unknown>)), columns }];
    });
  } catch {
    return [];
  }
}

export function viewOf({ q, filter, range, from, to, sort }: TraceListSearch): TraceListSearch {
  return { q, filter, range, from, to, sort };
}

function write(key: string, text: string): boolean {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

function sameView(a: TraceListSearch, b: TraceListSearch): boolean {
  return JSON.stringify(viewOf(a)) === JSON.stringify(viewOf(b));
}

export interface SavedViewsProps {
  workspaceId: string;
  search: TraceListSearch;
  onOpen: (search: TraceListSearch) => void;
}

export function SavedViews({ workspaceId, search, onOpen }: SavedViewsProps) {
  const [views, setViews] = useState(() => readViews(workspaceId));
  const [name, setName] = useState("");
  const [open, setOpen] = useState(false);
  useEffect(() => setViews(readViews(workspaceId)), [workspaceId]);
  const keep = (next: SavedView[]) => {
    setViews(next);
    if (!write(nameOf(workspaceId), JSON.stringify(next))) toast.error("This browser keeps nothing for this page; copy the link instead");
  };
  const copyLink = async () => {
    const link = new URL(location.href);
    for (const key of ["peek", "span", "tab"]) link.searchParams.delete(key);
    try {
      await navigator.clipboard.writeText(link.href);
      toast.success("Link to this view copied");
    } catch {
      toast.error("The browser refused to copy; the address bar holds the link");
    }
  };
  const current = views.find((view) => sameView(view.search, search));
  return (
    <Popover
      label="Saved views"
      align="start"
      open={open}
      onOpenChange={setOpen}
      className="w-80"
      trigger={
        <Button aria-label={current ? `Saved views: ${current.name}` : "Saved views"}>
          <Bookmark aria-hidden />
          <span className="max-w-32 truncate">{current?.name ?? "Views"}</span>
        </Button>
      }
    >
      {views.length === 0 ? (
        <p className="text-xs text-muted">No views yet. Filter and sort the list, then save it under a name. Views are kept in this browser.</p>
      ) : (
        <ul className="-mx-1.5 flex max-h-72 flex-col overflow-y-auto">
          {views.map((view) => (
            <li key={view.name} className="flex items-center">
              <Button
                variant="ghost"
                size="sm"
                aria-pressed={view === current}
                title={[view.search.q, view.search.filter].filter(Boolean).join(" · ") || "All traces"}
                className="min-w-0 flex-1 justify-start aria-pressed:bg-selected aria-pressed:text-text"
                onClick={() => {
                  if (view.columns !== undefined) write(GRID_KEY, view.columns);
                  onOpen(view.search);
                  setOpen(false);
                }}
              >
                <span className="truncate">{view.name}</span>
              </Button>
              <Button variant="ghost" size="icon" aria-label={`Delete the view ${view.name}`} onClick={() => keep(views.filter((other) => other !== view))}>
                <Trash2 aria-hidden />
              </Button>
            </li>
          ))}
        </ul>
      )}
      <form
        className="mt-3 flex gap-2 border-t border-line pt-3"
        onSubmit={(event) => {
          event.preventDefault();
          const called = name.trim();
          if (called === "") return;
          keep([...views.filter((view) => view.name !== called), { name: called, search: viewOf(search), columns: localStorage.getItem(GRID_KEY) ?? "null" }]);
          setName("");
          toast.success(`View “${called}” saved in this browser`);
        }}
      >
        <Input aria-label="Name of the view" placeholder="Name of this view" value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
        <Button type="submit" disabled={name.trim() === ""}>
          {views.some((view) => view.name === name.trim()) ? "Replace" : "Save"}
        </Button>
      </form>
      <Button variant="ghost" size="sm" className="mt-2 w-full justify-start" onClick={() => void copyLink()}>
        <Link2 aria-hidden />
        Copy a link to this view
      </Button>
    </Popover>
  );
}
