import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Download, MoreHorizontal, Pencil, Plus, Snowflake, Trash2, Upload } from "lucide-react";
import { type DragEvent, useState } from "react";
import { lacking, useMay } from "@/api/access";
import type { Schemas } from "@/api/client";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Menu } from "@/components/ui/menu";
import { Sheet } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { CiPanel } from "./ci-panel";
import { ExportMenu } from "./export-menu";
import { FreezeDialog } from "./freeze-dialog";
import { HoldoutPanel, useFreezeRefusal } from "./holdout-panel";
import { ImportDialog } from "./import-dialog";
import { ItemForm } from "./item-form";
import { ItemsTab } from "./items-tab";
import { setQuery, type SetPath } from "./queries";
import type { SampleSetDetailSearch } from "./search";
import { DeleteSetDialog, RenameSetDialog } from "./set-dialogs";

const route = getRouteApi("/w/$workspaceId/samples/$setId");

export function SampleSetDetailPage() {
  const { workspaceId, setId } = route.useParams();
  const path = { workspace_id: workspaceId, set_id: setId };
  const found = useQuery(setQuery(path));
  if (found.data) return <SampleSet key={setId} path={path} set={found.data} />;
  return (
    <Page title="Sample set" breadcrumbs={[{ label: "Samples", to: `/w/${workspaceId}/samples` }]}>
      {found.error ? <ProblemNotice error={found.error} retry={() => void found.refetch()} /> : <SkeletonRows rows={8} label="Loading the sample set" />}
    </Page>
  );
}

function SampleSet({ path, set }: { path: SetPath; set: Schemas["SampleSetOut"] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const [file, setFile] = useState<File | null>(null);
  const tab = search.tab ?? "items";
  const change = (part: Partial<SampleSetDetailSearch>, replace = true) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace });
  const show = (open: SampleSetDetailSearch["open"]) => change({ open });
  const refused = useFreezeRefusal(set);
  const why = mayWrite ? undefined : lacking("write:workspace");

  const dropped = (event: DragEvent) => {
    const found = event.dataTransfer.files[0];
    if (!found || !mayWrite || search.open) return;
    event.preventDefault();
    setFile(found);
    show("import");
  };

  return (
    <div className="h-full min-h-0" onDragOver={(event) => event.preventDefault()} onDrop={dropped}>
      <Page
        fill
        title={set.name}
        description={set.description}
        breadcrumbs={[{ label: "Samples", to: `/w/${path.workspace_id}/samples` }]}
        actions={
          <>
            <Button disabled={!mayWrite} title={why} onClick={() => show("add")}>
              <Plus aria-hidden />
              Add sample
            </Button>
            <Button variant={set.items === 0 ? "primary" : "secondary"} disabled={!mayWrite} title={why} onClick={() => show("import")}>
              <Upload aria-hidden />
              Import
            </Button>
            {set.items > 0 ? <ExportMenu path={path} set={set} /> : <Button disabled title="The set has no items"><Download aria-hidden />Export</Button>}
            <Menu
              label="More about this set"
              trigger={
                <Button variant="ghost" size="icon" aria-label="More about this set">
                  <MoreHorizontal aria-hidden />
                </Button>
              }
              items={[
                { label: "Rename…", icon: <Pencil aria-hidden />, onSelect: () => show("rename"), disabled: !mayWrite, title: why },
                { label: "Freeze the holdout…", icon: <Snowflake aria-hidden />, onSelect: () => show("freeze"), disabled: refused !== undefined, title: refused },
                "separator",
                { label: "Delete the set…", icon: <Trash2 aria-hidden />, onSelect: () => show("delete"), disabled: !mayWrite, title: why, danger: true },
              ]}
            />
          </>
        }
        tabs={
          <Tabs
            label="Parts of the sample set"
            value={tab}
            onValueChange={(next) => change({ tab: next === "items" ? undefined : next, item: undefined, at: undefined }, false)}
            tabs={[
              { value: "items", label: "Items", count: set.items },
              { value: "holdout", label: "Holdout" },
              { value: "ci", label: "Use in CI" },
            ]}
          />
        }
      >
        <TabPanel value={tab} className="flex min-h-0 flex-1 flex-col">
          {tab === "items" && <ItemsTab path={path} set={set} search={search} onChange={change} mayWrite={mayWrite} />}
          {tab === "holdout" && (
            <div className="overflow-y-auto p-3 sm:p-5">
              <HoldoutPanel path={path} set={set} onFreeze={() => show("freeze")} />
            </div>
          )}
          {tab === "ci" && (
            <div className="overflow-y-auto p-3 sm:p-5">
              <CiPanel workspaceId={path.workspace_id} set={set} />
            </div>
          )}
        </TabPanel>
      </Page>
      <Sheet open={search.open === "add" && mayWrite} onOpenChange={(open) => !open && show(undefined)} title="Add a sample" modal>
        <ItemForm path={path} onDone={() => show(undefined)} onCancel={() => show(undefined)} />
      </Sheet>
      <ImportDialog
        path={path}
        open={search.open === "import" && mayWrite}
        onOpenChange={(open) => {
          if (!open) setFile(null);
          show(open ? "import" : undefined);
        }}
        file={file}
        onFile={setFile}
      />
      <FreezeDialog path={path} set={set} open={search.open === "freeze" && refused === undefined} onOpenChange={(open) => show(open ? "freeze" : undefined)} onFrozen={() => change({ open: undefined, tab: "holdout" })} />
      <RenameSetDialog path={path} set={set} open={search.open === "rename" && mayWrite} onOpenChange={(open) => show(open ? "rename" : undefined)} />
      <DeleteSetDialog
        path={path}
        set={set}
        open={search.open === "delete" && mayWrite}
        onOpenChange={(open) => show(open ? "delete" : undefined)}
        onDeleted={() => void navigate({ to: "/w/$workspaceId/samples", params: { workspaceId: path.workspace_id } })}
      />
    </div>
  );
}
