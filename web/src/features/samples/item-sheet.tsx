import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Pencil, Trash2 } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { http, type Schemas } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { shortId } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { TextBody } from "@/components/text-body";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";
import { ItemForm } from "./item-form";
import { itemQuery, listedItem, refreshSamples, type SetPath } from "./queries";
import { SplitName } from "./split-bar";

interface ItemSheetProps {
  path: SetPath;
  itemId: string | undefined;
  onClose: () => void;
}

export function ItemSheet({ path, itemId, onClose }: ItemSheetProps) {
  const mayWrite = useMay("write:workspace");
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  useEffect(() => {
    setEditing(false);
    setDeleting(false);
  }, [itemId]);
  const queries = useQueryClient();
  const found = useQuery({ ...itemQuery(path, itemId ?? ""), enabled: itemId !== undefined, placeholderData: () => listedItem(queries, itemId) });
  const item = itemId === undefined ? undefined : found.data;
  const why = !mayWrite ? lacking("write:workspace") : item?.frozen ? "It belongs to a frozen holdout" : undefined;
  return (
    <Sheet
      open={itemId !== undefined}
      onOpenChange={(open) => !open && onClose()}
      title="Sample"
      description={item ? <span className="font-mono">{item.id}</span> : "Loading"}
      actions={
        item && (
          <>
            <CopyButton text={item.id} label="Copy sample id" />
            <Button variant="ghost" size="icon" aria-label="Edit sample" disabled={why !== undefined || editing} title={why ?? "Edit"} onClick={() => setEditing(true)}>
              <Pencil aria-hidden />
            </Button>
            <Button variant="danger-ghost" size="icon" aria-label="Delete sample" disabled={why !== undefined} title={why ?? "Delete"} onClick={() => setDeleting(true)}>
              <Trash2 aria-hidden />
            </Button>
          </>
        )
      }
    >
      {found.error ? (
        <ProblemNotice error={found.error} retry={() => void found.refetch()} />
      ) : !item ? (
        <SkeletonRows rows={5} label="Loading the sample" />
      ) : editing ? (
        <ItemForm key={item.id} path={path} item={item} onDone={() => setEditing(false)} onCancel={() => setEditing(false)} />
      ) : (
        <ItemBody workspaceId={path.workspace_id} item={item} />
      )}
      {item && <DeleteItem path={path} item={item} open={deleting} onOpenChange={setDeleting} onDeleted={onClose} />}
    </Sheet>
  );
}

function ItemBody({ workspaceId, item }: { workspaceId: string; item: Schemas["SampleOut"] }) {
  return (
    <div className="flex flex-col gap-4">
      <Part title="Input">
        <Value value={item.input} label="Input" />
      </Part>
      <Part title="Expected">
        {item.expected === null ? <p className="text-sm text-muted">Nothing is expected.</p> : <Value value={item.expected} label="Expected" />}
      </Part>
      <Part title="Metadata">
        {Object.keys(item.metadata).length === 0 ? <p className="text-sm text-muted">None.</p> : <JsonView value={item.metadata} label="Metadata" />}
      </Part>
      <KeyValue
        items={[
          {
            label: "Split",
            value: (
              <span className="inline-flex items-center gap-2">
                <SplitName split={item.split} />
                {item.frozen && <Badge tone="info">Frozen</Badge>}
              </span>
            ),
          },
          { label: "Group", value: <span className="font-mono text-xs break-all">{item.group_key}</span> },
          {
            label: "Source trace",
            value: item.source_trace_id ? (
              <Link
                to="/w/$workspaceId/traces/$traceId"
                params={{ workspaceId, traceId: item.source_trace_id }}
                className="font-mono text-xs text-accent underline dark:text-series-1"
              >
                {shortId(item.source_trace_id, 12)}
              </Link>
            ) : (
              <span className="text-muted">Not made from a trace</span>
            ),
          },
          { label: "Added", value: <Time at={item.created_at} /> },
          { label: "Changed", value: <Time at={item.updated_at} /> },
        ]}
      />
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-1">
      <h3 className="text-xs font-medium text-muted">{title}</h3>
      <div className="rounded-md border border-line bg-canvas p-2.5">{children}</div>
    </section>
  );
}

function Value({ value, label }: { value: unknown; label: string }) {
  return typeof value === "string" ? <TextBody text={value} /> : <JsonView value={value} label={label} collapsedDepth={3} />;
}

interface DeleteItemProps {
  path: SetPath;
  item: Schemas["SampleOut"];
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDeleted: () => void;
}

function DeleteItem({ path, item, open, onOpenChange, onDeleted }: DeleteItemProps) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () =>
      http.DELETE("/api/v1/workspaces/{workspace_id}/samples/{set_id}/items/{item_id}", {
        params: { path: { ...path, item_id: item.id } },
      }),
    onSuccess: async () => {
      onDeleted();
      toast("Sample deleted");
      await refreshSamples(queries);
    },
  });
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title="Delete this sample?"
      confirmLabel="Delete"
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
    >
      It leaves the set, which gets a new version. Experiments that were measured on it keep their outputs.
    </ConfirmDialog>
  );
}
