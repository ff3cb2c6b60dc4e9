import { useQueries } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { GitPullRequestArrow } from "lucide-react";
import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { Pagination, ShownOf } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { statusLabel } from "@/components/status-badge";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { CHANGESETS, useAgentNames } from "./changeset-queries";
import { ChangesetTable } from "./changeset-table";
import { CHANGESET_STATES, CLOSED, type ChangesetState, LIVE, TO_REVIEW } from "./changeset-states";
import { LIST_VIEWS, type ListView } from "./search";

const route = getRouteApi("/w/$workspaceId/changesets");

const PAGE = 50;
/** Of each state in a view of several states. */
const MOST_OF_A_STATE = 100;

const LABELS: Record<ListView, string> = { review: "To review", live: "Accepted", closed: "Closed", all: "All" };
const STATES: Record<Exclude<ListView, "all">, readonly ChangesetState[]> = { review: TO_REVIEW, live: LIVE, closed: CLOSED };

const EMPTY: Record<ListView, string> = {
  review: "Nothing waits for a decision",
  live: "No change set has been accepted",
  closed: "No change set has been rolled back, rejected or superseded",
  all: "No change sets yet",
};

export function ChangesetListPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const view = search.view ?? "review";
  const agents = useAgentNames();
  const review = useStates(TO_REVIEW, search.agent, true);
  const grouped = useStates(view === "all" ? LIVE : STATES[view], search.agent, view !== "all");
  const paged = usePage(search.agent, search.state, search.offset ?? 0, view === "all");
  const shown = view === "all" ? paged : grouped;

  return (
    <Page
      title="Change sets"
      description="Proposed changes of an agent's configuration, each with what an untouched holdout says about it."
      actions={
        <Select
          label="Agent"
          size="sm"
          className="w-52"
          value={search.agent ?? ""}
          onValueChange={(agent) =>
            void navigate({ search: (before) => ({ ...before, agent: agent || undefined, offset: undefined }) })
          }
          options={[{ value: "", label: "All agents" }, ...[...agents].map(([value, label]) => ({ value, label }))]}
        />
      }
      tabs={
        <Tabs
          label="Change sets by state"
          value={view}
          onValueChange={(next) =>
            void navigate({ search: ({ agent }) => ({ agent, view: next === "review" ? undefined : next }) })
          }
          tabs={LIST_VIEWS.map((value) => ({
            value,
            label: LABELS[value],
            count: value === "review" ? review.total : value === view ? shown.total : undefined,
          }))}
        />
      }
    >
      <TabPanel value={view} className="flex flex-col gap-3">
        <div className="flex min-h-7 flex-wrap items-center justify-between gap-3">
          {view === "all" ? (
            <Select
              label="State"
              size="sm"
              className="w-44"
              value={search.state ?? ""}
              onValueChange={(state) =>
                void navigate({ search: (before) => ({ ...before, state: state || undefined, offset: undefined }) })
              }
              options={[
                { value: "", label: "In any state" },
                ...CHANGESET_STATES.map((value) => ({ value, label: statusLabel(value) })),
              ]}
            />
          ) : (
            <span className="text-xs text-muted">{STATES[view].map((state) => statusLabel(state)).join(" · ")}</span>
          )}
          {shown.rows && <ShownOf shown={shown.rows.length} total={shown.total} noun="change sets" />}
        </div>
        {shown.error ? <ProblemNotice error={shown.error} retry={shown.retry} /> : null}
        {!shown.rows && !shown.error && (
          <Panel padded={false}>
            <SkeletonRows rows={6} rowHeight={52} label="Loading change sets" />
          </Panel>
        )}
        {shown.rows && shown.rows.length > 0 && <ChangesetTable rows={shown.rows} agents={agents} />}
        {shown.rows?.length === 0 && <Nothing view={view} filtered={search.agent !== undefined || search.state !== undefined} />}
        {view === "all" && shown.total !== undefined && shown.total > PAGE && (
          <Pagination
            total={shown.total}
            limit={PAGE}
            offset={search.offset ?? 0}
            onOffsetChange={(offset) => void navigate({ search: (before) => ({ ...before, offset: offset || undefined }) })}
          />
        )}
      </TabPanel>
    </Page>
  );
}

function Nothing({ view, filtered }: { view: ListView; filtered: boolean }) {
  return (
    <EmptyState icon={<GitPullRequestArrow />} title={EMPTY[view]}>
      {filtered
        ? "Another filter may show some."
        : "A scan that finds a better configuration proposes it here, with its evidence. Start one on the page Scans."}
    </EmptyState>
  );
}

/** All change sets in these states: the API takes one state at a time. */
function useStates(states: readonly ChangesetState[], agentId: string | undefined, enabled: boolean) {
  const workspaceId = useWorkspaceId();
  const answers = useQueries({
    queries: states.map((state) =>
      api.queryOptions(
        "get",
        CHANGESETS,
        {
          params: {
            path: { workspace_id: workspaceId },
            query: { state, limit: MOST_OF_A_STATE, ...(agentId ? { agent_id: agentId } : {}) },
          },
        },
        { enabled, refetchInterval: state === "validating" ? 5_000 : false },
      ),
    ),
  });
  const known = answers.every((answer) => answer.data);
  return {
    rows: known ? answers.flatMap((answer) => answer.data?.results ?? []) : undefined,
    total: known ? answers.reduce((sum, answer) => sum + (answer.data?.pagination.total ?? 0), 0) : undefined,
    error: answers.find((answer) => answer.error)?.error ?? null,
    retry: () => {
      for (const answer of answers) void answer.refetch();
    },
  };
}

function usePage(agentId: string | undefined, state: ChangesetState | undefined, offset: number, enabled: boolean) {
  const workspaceId = useWorkspaceId();
  const { data, error, refetch } = api.useQuery(
    "get",
    CHANGESETS,
    {
      params: {
        path: { workspace_id: workspaceId },
        query: { limit: PAGE, offset, ...(agentId ? { agent_id: agentId } : {}), ...(state ? { state } : {}) },
      },
    },
    { enabled },
  );
  return { rows: data?.results, total: data?.pagination.total, error, retry: () => void refetch() };
}
