import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { MoreHorizontal, Trash2 } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import type { Schemas } from "@/api/client";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Menu } from "@/components/ui/menu";
import { SkeletonRows } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { CalibrationTab } from "./calibration-tab";
import { DefinitionTab } from "./definition-tab";
import { DeleteRubricDialog } from "./delete-dialogs";
import { OnlineTab } from "./online-tab";
import { rubricQuery, type RubricPath } from "./queries";
import type { RubricDetailSearch } from "./search";
import { VersionsTab } from "./versions-tab";

const route = getRouteApi("/w/$workspaceId/rubrics/$rubricId");

export function RubricDetailPage() {
  const { workspaceId, rubricId } = route.useParams();
  const path = { workspace_id: workspaceId, rubric_id: rubricId };
  const found = useQuery(rubricQuery(path));
  if (found.data) return <Rubric key={rubricId} path={path} rubric={found.data} />;
  return (
    <Page title="Rubric" breadcrumbs={[{ label: "Rubrics", to: `/w/${workspaceId}/rubrics` }]}>
      {found.error ? <ProblemNotice error={found.error} retry={() => void found.refetch()} /> : <SkeletonRows rows={8} label="Loading the rubric" />}
    </Page>
  );
}

function Rubric({ path, rubric }: { path: RubricPath; rubric: Schemas["RubricOut"] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const tab = search.tab ?? "definition";
  const change = (part: Partial<RubricDetailSearch>, replace = true) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace });
  return (
    <Page
      title={
        <>
          <span className="min-w-0 truncate">{rubric.name}</span>
          <Badge title={`SHA-256 ${rubric.digest}`}>v{rubric.version}</Badge>
        </>
      }
      documentTitle={rubric.name}
      description={rubric.description}
      breadcrumbs={[{ label: "Rubrics", to: `/w/${path.workspace_id}/rubrics` }]}
      actions={
        <Menu
          label="More about this rubric"
          trigger={
            <Button variant="ghost" size="icon" aria-label="More about this rubric">
              <MoreHorizontal aria-hidden />
            </Button>
          }
          items={[
            {
              label: "Delete the rubric…",
              icon: <Trash2 aria-hidden />,
              danger: true,
              disabled: !mayWrite,
              title: mayWrite ? undefined : lacking("write:workspace"),
              onSelect: () => change({ open: "delete" }),
            },
          ]}
        />
      }
      tabs={
        <Tabs
          label="Parts of the rubric"
          value={tab}
          onValueChange={(next) => change({ tab: next === "definition" ? undefined : next, open: undefined }, false)}
          tabs={[
            { value: "definition", label: "Definition" },
            { value: "versions", label: "Versions", count: rubric.latest_version },
            { value: "online", label: "On new traces" },
            { value: "calibration", label: "Calibration" },
          ]}
        />
      }
    >
      <TabPanel value={tab} className="flex flex-col gap-4">
        {tab === "definition" && <DefinitionTab key={rubric.version} path={path} rubric={rubric} mayWrite={mayWrite} />}
        {tab === "versions" && <VersionsTab path={path} rubric={rubric} search={search} onChange={change} />}
        {tab === "online" && <OnlineTab path={path} rubric={rubric} search={search} onChange={change} mayWrite={mayWrite} />}
        {tab === "calibration" && <CalibrationTab path={path} rubric={rubric} search={search} onChange={change} mayWrite={mayWrite} />}
      </TabPanel>
      <DeleteRubricDialog
        path={path}
        rubric={rubric}
        open={search.open === "delete" && mayWrite}
        onOpenChange={(open) => change({ open: open ? "delete" : undefined })}
        onDeleted={() => void navigate({ to: "/w/$workspaceId/rubrics", params: { workspaceId: path.workspace_id } })}
      />
    </Page>
  );
}
