import { Download, ListPlus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useMutation } from "@tanstack/react-query";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { AddToSamples } from "@/features/traces/add-to-samples";
import { DeleteTraces } from "@/features/traces/delete-traces";
import { MOST_EXPORTED, exportTraces } from "@/features/traces/export-traces";
import type { ListParams } from "@/features/traces/trace-query";

export interface TraceSelectionProps {
  checked: ReadonlySet<string>;
  params: ListParams;
  onClear: () => void;
  onDeleted: () => void;
}

/** What can be done with the checked traces; without any, with all that fit. */
export function TraceSelection({ checked, params, onClear, onDeleted }: TraceSelectionProps) {
  const workspaceId = useWorkspaceId();
  const mayWrite = useMay("write:workspace");
  const [dialog, setDialog] = useState<"samples" | "delete" | null>(null);
  const ids = [...checked];
  const download = useMutation({ mutationFn: () => exportTraces(workspaceId, params, ids) });
  const tooMany = ids.length > MOST_EXPORTED;
  const refused = mayWrite ? undefined : lacking("write:workspace");
  return (
    <>
      <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-2 border-t border-line bg-surface px-3 py-1 text-xs">
        {ids.length > 0 ? (
          <>
            <span className="numeric font-medium" role="status">
              {pluralise(ids.length, "trace")} selected
            </span>
            <Button size="sm" disabled={!mayWrite} title={refused} onClick={() => setDialog("samples")}>
              <ListPlus aria-hidden />
              Add to samples
            </Button>
            <Button
              size="sm"
              disabled={tooMany}
              title={tooMany ? `At most ${MOST_EXPORTED} at once; narrow the list and export all of it instead` : undefined}
              pending={download.isPending}
              onClick={() => download.mutate()}
            >
              <Download aria-hidden />
              Export
            </Button>
            <Button size="sm" variant="danger-ghost" disabled={!mayWrite} title={refused} onClick={() => setDialog("delete")}>
              <Trash2 aria-hidden />
              Delete
            </Button>
            <Button size="sm" variant="ghost" onClick={onClear}>
              Clear selection
            </Button>
          </>
        ) : (
          <>
            <span className="hidden text-muted lg:inline">J and K move, Enter opens, P peeks, X selects, / filters</span>
            <Button
              size="sm"
              variant="ghost"
              className="ml-auto"
              title="All traces that fit, as OTLP/JSON lines"
              pending={download.isPending}
              onClick={() => download.mutate()}
            >
              <Download aria-hidden />
              Export all that fit
            </Button>
          </>
        )}
      </div>
      {download.error && <ProblemNotice error={download.error} retry={() => download.mutate()} className="m-2" />}
      <AddToSamples open={dialog === "samples"} onOpenChange={(open) => setDialog(open ? "samples" : null)} traceIds={ids} />
      <DeleteTraces
        open={dialog === "delete"}
        onOpenChange={(open) => setDialog(open ? "delete" : null)}
        traceIds={ids}
        onDeleted={() => {
          onClear();
          onDeleted();
        }}
      />
    </>
  );
}
