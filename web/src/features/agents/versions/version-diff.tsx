import { getRouteApi } from "@tanstack/react-router";
import { ArrowLeftRight, X } from "lucide-react";
import { lazy, Suspense, useMemo } from "react";
import { api } from "@/api/client";
import { pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { useMedia } from "@/components/use-media";
import { type Json, writeYaml } from "../config/yaml-write";
import { useAgentPath } from "../use-agent-path";
import { ChangeList } from "./change-list";
import { useConfig } from "./version-document";

const DiffView = lazy(() => import("@/components/editor/diff-view").then((module) => ({ default: module.DiffView })));

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

export interface VersionDiffProps {
  a: number;
  b: number;
  numbers: readonly number[];
  onCompare: (a: number | undefined, b: number | undefined) => void;
}

export function VersionDiff({ a, b, numbers, onCompare }: VersionDiffProps) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isWide = useMedia("(min-width: 1280px)");
  const path = useAgentPath();
  const diff = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{before}/diff/{after}", {
    params: { path: { ...path, before: a, after: b } },
  });
  const before = useConfig(a);
  const after = useConfig(b);
  const texts = useMemo(
    () => before.data && after.data && { before: writeYaml(before.data.config as Json), after: writeYaml(after.data.config as Json) },
    [before.data, after.data],
  );
  const layout = search.layout ?? (isWide ? "split" : "unified");
  const error = diff.error ?? before.error ?? after.error;
  const options = [...new Set([...numbers, a, b])].sort((x, y) => y - x).map((number) => ({ value: String(number), label: `Version ${number}` }));
  return (
    <Panel
      title={`Version ${a} → version ${b}`}
      description={diff.data && `${pluralise(diff.data.changes.length, "place")} differ${diff.data.changes.length === 1 ? "s" : ""}`}
      actions={
        <>
          <Select label="From" size="sm" className="w-28" value={String(a)} onValueChange={(next) => onCompare(Number(next), b)} options={options} />
          <Button size="icon" variant="ghost" aria-label="Swap both versions" title="Swap both versions" onClick={() => onCompare(b, a)}>
            <ArrowLeftRight aria-hidden />
          </Button>
          <Select label="To" size="sm" className="w-28" value={String(b)} onValueChange={(next) => onCompare(a, Number(next))} options={options} />
          <Segmented
            label="Layout of the difference"
            value={layout}
            onValueChange={(next) => void navigate({ search: (kept) => ({ ...kept, layout: next }), replace: true })}
            options={[
              { value: "split", label: "Side by side" },
              { value: "unified", label: "Unified" },
            ]}
          />
          <Button size="icon" variant="ghost" aria-label="Close the comparison" title="Close the comparison" onClick={() => onCompare(undefined, undefined)}>
            <X aria-hidden />
          </Button>
        </>
      }
    >
      {error ? (
        <ProblemNotice
          error={error}
          retry={() => {
            void diff.refetch();
            void before.refetch();
            void after.refetch();
          }}
        />
      ) : (
        <div className="flex min-w-0 flex-col gap-3">
          {diff.data ? <ChangeList changes={diff.data.changes} /> : <Skeleton className="h-16" />}
          <Suspense fallback={<Skeleton className="h-96" />}>
            {texts ? (
              <DiffView {...texts} language="yaml" layout={layout} label={`Version ${a} and version ${b}`} className="max-h-[70vh]" />
            ) : (
              <Skeleton className="h-96" />
            )}
          </Suspense>
        </div>
      )}
    </Panel>
  );
}
