import { getRouteApi } from "@tanstack/react-router";
import { GitCommitVertical } from "lucide-react";
import { useState } from "react";
import { api, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useHotkey } from "@/components/use-hotkey";
import { useAgentPath } from "../use-agent-path";
import { EnvironmentCards } from "./environment-cards";
import { liveOf } from "./environments";
import { PromoteDialog, type PromotionWish } from "./promote-dialog";
import { mergeTimeline } from "./timeline";
import { TimelineList } from "./timeline-list";
import { useHistory } from "./use-history";
import { VersionDiff } from "./version-diff";
import { VersionDocument } from "./version-document";

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

export function VersionsTab({ agent }: { agent: Schemas["AgentOut"] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const path = useAgentPath();
  const history = useHistory();
  const changesets = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/changesets", {
    params: { path: { workspace_id: path.workspace_id }, query: { agent_id: path.agent_id, limit: 100 } },
  });
  const [wish, setWish] = useState<PromotionWish | null>(null);
  const live = liveOf(agent.live, history.promotions.items);
  const numbers = history.versions.items.map(({ version }) => version);
  const selected = search.version ?? live[0]?.version ?? numbers[0];
  const comparing = search.a !== undefined && search.b !== undefined;

  const select = (version: number) => void navigate({ search: (before) => ({ ...before, version, a: undefined, b: undefined }) });
  const compare = (a: number | undefined, b: number | undefined) => void navigate({ search: (before) => ({ ...before, a, b }) });
  const step = (by: number) => {
    const next = numbers[numbers.indexOf(selected ?? 0) + by];
    if (next !== undefined) select(next);
  };
  useHotkey("j", () => step(1));
  useHotkey("k", () => step(-1));

  if (history.error) return <ProblemNotice error={history.error} retry={history.retry} />;
  if (history.isPending) return <SkeletonRows rows={8} label="Loading the versions" />;
  if (selected === undefined) return <NoVersions agent={agent} />;
  return (
    <>
      {live.length > 0 && <EnvironmentCards agent={agent} live={live} onPromote={setWish} />}
      <div className="grid min-w-0 items-start gap-4 lg:grid-cols-[17rem_minmax(0,1fr)] xl:grid-cols-[24rem_minmax(0,1fr)]">
        <TimelineList
          entries={mergeTimeline(history.versions, history.promotions)}
          changesets={changesets.data?.results ?? []}
          agent={agent}
          selected={comparing ? undefined : selected}
          marked={[search.a, search.b].filter((one) => one !== undefined)}
          onSelect={select}
          onMark={(version, on) => {
            const others = [search.a, search.b].filter((one) => one !== undefined && one !== version);
            const [a, b] = on ? [...others.slice(-1), version].sort((x, y) => (x ?? 0) - (y ?? 0)) : others;
            compare(a, b);
          }}
          onPromote={setWish}
          footer={
            (history.versions.more || history.promotions.more) && (
              <Button size="sm" pending={history.isFetchingMore} onClick={history.readMore} className="m-2">
                Show older
              </Button>
            )
          }
        />
        {search.a !== undefined && search.b !== undefined ? (
          <VersionDiff a={search.a} b={search.b} numbers={numbers} onCompare={compare} />
        ) : (
          <VersionDocument
            agent={agent}
            version={selected}
            onCompare={(other) => compare(Math.min(other, selected), Math.max(other, selected))}
            numbers={numbers}
            onPromote={setWish}
          />
        )}
      </div>
      <PromoteDialog agent={agent} wish={wish} onClose={() => setWish(null)} />
    </>
  );
}

function NoVersions({ agent }: { agent: Schemas["AgentOut"] }) {
  const navigate = route.useNavigate();
  return (
    <EmptyState
      icon={<GitCommitVertical />}
      title="No config version yet"
      actions={
        <Button variant="primary" onClick={() => void navigate({ search: { tab: "edit" } })}>
          Write version 1
        </Button>
      }
    >
      {agent.status === "observed"
        ? "So far only traces of this agent are seen. Recover the prompt it runs with from them (Actions, top right), or write a config; scans start from either."
        : "A config says which prompts, model, parameters and examples the agent runs with. The first one can be live in any environment."}
    </EmptyState>
  );
}
