import { Suspense, lazy } from "react";
import { Minus, Pencil, Plus, TriangleAlert } from "lucide-react";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatCount, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useIsPhone } from "@/components/use-media";
import { configText } from "./config-text";
import type { ChangesetDetail } from "./evidence-types";
import { type Operation, lineCounts, operationsInWords } from "./operations-in-words";
import type { DiffLayout } from "./search";
import { enumerate, sentenceCase } from "./wording";

const DiffView = lazy(() => import("@/components/editor/diff-view").then((module) => ({ default: module.DiffView })));

export interface ChangesSectionProps {
  changeset: ChangesetDetail;
  layout: DiffLayout | undefined;
  onLayoutChange: (layout: DiffLayout) => void;
}

export function ChangesSection({ changeset, layout, onLayoutChange }: ChangesSectionProps) {
  const isPhone = useIsPhone();
  const shown = isPhone ? "unified" : (layout ?? "split");
  const operations = operationsInWords(changeset.diff);
  return (
    <div className="flex flex-col gap-4">
      <Panel title="In words" description={`${pluralise(changeset.diff.length, "place")} of the configuration`} padded={false}>
        <ul>
          {operations.map((operation) => (
            <OperationRow key={operation.id} operation={operation} />
          ))}
        </ul>
      </Panel>
      <Panel
        title={`Version ${formatCount(changeset.base_version)} beside version ${formatCount(changeset.candidate_version)}`}
        padded={false}
        actions={
          isPhone ? undefined : (
            <Segmented
              label="Layout of the difference"
              value={shown}
              onValueChange={onLayoutChange}
              options={[
                { value: "split", label: "Side by side" },
                { value: "unified", label: "Unified" },
              ]}
            />
          )
        }
      >
        <ConfigDiff changeset={changeset} layout={shown} />
      </Panel>
    </div>
  );
}

const ICONS = {
  add: { Icon: Plus, tone: "text-good" },
  remove: { Icon: Minus, tone: "text-bad" },
  replace: { Icon: Pencil, tone: "text-info" },
};

function OperationRow({ operation }: { operation: Operation }) {
  const { Icon, tone } = ICONS[operation.kind];
  const lines = operation.changes.length === 1 ? lineCounts(operation.changes[0]?.text_diff ?? null) : null;
  return (
    <li className="flex gap-2 border-b border-line px-3 py-2 text-sm last:border-b-0">
      <Icon aria-hidden className={`mt-[3px] size-3.5 shrink-0 ${tone}`} />
      <div className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
        <span className="min-w-0 break-words">
          {sentenceCase(operation.words)} <span className="text-muted">at</span>{" "}
          <code className="font-mono text-xs break-all">{operation.pointer || "/"}</code>
        </span>
        {lines && (
          <span className="numeric text-xs whitespace-nowrap">
            <span className="text-good">+{formatCount(lines.added)}</span> <span className="text-bad">−{formatCount(lines.removed)}</span>{" "}
            <span className="text-muted">lines</span>
          </span>
        )}
        {operation.flags.length > 0 && (
          <Badge tone="warn" title="The new text contains what may have been copied out of a trace. Read it before you accept.">
            <TriangleAlert aria-hidden /> may come out of a trace: {enumerate(operation.flags)}
          </Badge>
        )}
      </div>
    </li>
  );
}

function ConfigDiff({ changeset, layout }: { changeset: ChangesetDetail; layout: DiffLayout }) {
  const before = useConfigText(changeset.agent_id, changeset.base_version);
  const after = useConfigText(changeset.agent_id, changeset.candidate_version);
  const failed = before.error ? before : after.error ? after : null;
  if (failed) return <ProblemNotice error={failed.error} retry={() => void failed.refetch()} className="m-3" />;
  const loading = <SkeletonRows rows={14} rowHeight={22} label="Loading both configurations" />;
  if (before.text === undefined || after.text === undefined) return loading;
  return (
    <Suspense fallback={loading}>
      <DiffView
        before={before.text}
        after={after.text}
        language="yaml"
        layout={layout}
        label={`Configuration, version ${changeset.base_version} and ${changeset.candidate_version}`}
        className="max-h-[75vh] rounded-t-none border-0"
      />
    </Suspense>
  );
}

/** A version of a configuration never changes. */
function useConfigText(agentId: string, version: number) {
  const workspaceId = useWorkspaceId();
  const { data, error, refetch } = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{version}",
    { params: { path: { workspace_id: workspaceId, agent_id: agentId, version } } },
    { staleTime: Number.POSITIVE_INFINITY },
  );
  return { text: data ? configText(data.config) : undefined, error, refetch };
}
