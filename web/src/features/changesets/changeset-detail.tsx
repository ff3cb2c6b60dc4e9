import { Link, getRouteApi } from "@tanstack/react-router";
import { useActorNames } from "@/api/actors";
import { useWorkspaceId } from "@/api/access";
import { shortId } from "@/components/format";
import { Page } from "@/components/page";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { ChangesSection } from "./changes-section";
import { ChangesetActions } from "./changeset-actions";
import { useAgent, useChangeset, useHoldout } from "./changeset-queries";
import { DecisionSection } from "./decision-section";
import type { ChangesetDetail } from "./evidence-types";
import { FailuresSection } from "./failures-section";
import { HistorySection } from "./history-section";
import { HoldoutSection } from "./holdout-section";
import { operationsInWords } from "./operations-in-words";
import { PromotionSection } from "./promotion-section";
import { SECTIONS, type Section } from "./search";
import { VerdictBanner } from "./verdict-banner";
import { findingOf } from "./verdict-sentence";
import { standingOf } from "./standing";
import { WhySection } from "./why-section";
import { versions } from "./wording";

const route = getRouteApi("/w/$workspaceId/changesets/$changesetId");

const LABELS: Record<Section, string> = {
  decision: "Decision",
  changes: "What changes",
  why: "Why",
  failures: "Failures",
  holdout: "Holdout",
  promotion: "After promotion",
  history: "History",
};

export function ChangesetDetailPage() {
  const { workspaceId, changesetId } = route.useParams();
  const { data, error, refetch } = useChangeset(changesetId);
  const crumbs = [{ label: "Change sets", to: `/w/${workspaceId}/changesets` }];
  if (data) return <Loaded changeset={data} crumbs={crumbs} />;
  return (
    <Page title="Change set" breadcrumbs={crumbs}>
      {error ? (
        <ProblemNotice error={error} retry={() => void refetch()} />
      ) : (
        <>
          <Skeleton className="h-16 w-full" />
          <SkeletonRows rows={8} label="Loading the change set" />
        </>
      )}
    </Page>
  );
}

interface LoadedProps {
  changeset: ChangesetDetail;
  crumbs: { label: string; to: string }[];
}

function Loaded({ changeset, crumbs }: LoadedProps) {
  const workspaceId = useWorkspaceId();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const section = search.section ?? "decision";
  const agent = useAgent(changeset.agent_id).data;
  const holdout = useHoldout(changeset.sample_set_id, changeset.validation?.holdout_id ?? null).data;
  const nameOf = useActorNames();

  const finding = findingOf(changeset.validation, holdout?.size ?? null);
  const liveVersion = agent ? (agent.live[changeset.target_environment] ?? null) : undefined;
  const standing = standingOf(changeset, { liveVersion, nameOf });
  const name = agent?.name ?? `Agent ${shortId(changeset.agent_id)}`;
  const counts: Partial<Record<Section, number>> = {
    changes: operationsInWords(changeset.diff).length,
    failures: changeset.evidence.clusters.length,
  };
  return (
    <Page
      documentTitle={`${name} ${versions(changeset)}`}
      breadcrumbs={crumbs}
      title={
        <span className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
          <Link
            to="/w/$workspaceId/agents/$agentId"
            params={{ workspaceId, agentId: changeset.agent_id }}
            className="hover:underline"
          >
            {name}
          </Link>
          <span className="numeric font-normal text-muted">{versions(changeset)}</span>
          <StatusBadge status={changeset.state} />
          <span className="text-sm font-normal text-muted">for {changeset.target_environment}</span>
        </span>
      }
      actions={<ChangesetActions changeset={changeset} agentName={name} liveVersion={liveVersion} />}
      tabs={
        <Tabs
          label="About the change set"
          value={section}
          onValueChange={(next) =>
            void navigate({ search: ({ layout }) => ({ layout, section: next === "decision" ? undefined : next }) })
          }
          tabs={SECTIONS.map((value) => ({ value, label: LABELS[value], count: counts[value] }))}
        />
      }
    >
      <VerdictBanner finding={finding} standing={standing} />
      <TabPanel value={section}>
        {section === "decision" && <DecisionSection changeset={changeset} holdout={holdout} />}
        {section === "changes" && (
          <ChangesSection
            changeset={changeset}
            layout={search.layout}
            onLayoutChange={(layout) => void navigate({ search: (before) => ({ ...before, layout }) })}
          />
        )}
        {section === "why" && <WhySection changeset={changeset} />}
        {section === "failures" && (
          <FailuresSection
            changeset={changeset}
            openId={search.cluster}
            onOpen={(cluster) => void navigate({ search: (before) => ({ ...before, cluster }) })}
          />
        )}
        {section === "holdout" && <HoldoutSection changeset={changeset} holdout={holdout} />}
        {section === "promotion" && <PromotionSection changeset={changeset} />}
        {section === "history" && <HistorySection changeset={changeset} nameOf={nameOf} />}
      </TabPanel>
    </Page>
  );
}
