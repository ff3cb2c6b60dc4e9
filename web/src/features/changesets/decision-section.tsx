import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCost, formatCount, shortId } from "@/components/format";
import { KeyValue } from "@/components/key-value";
import { Time } from "@/components/time";
import { Panel } from "@/components/ui/panel";
import { ArmsTable } from "./arms-table";
import { EffectPanel } from "./effect-panel";
import { ErrorBudget } from "./error-budget";
import type { ChangesetDetail } from "./evidence-types";
import { GuardsTable } from "./guards-table";
import { RulePanel } from "./rule-panel";
import { executionText, sentenceCase } from "./wording";

export interface DecisionSectionProps {
  changeset: ChangesetDetail;
  holdout: Schemas["HoldoutOut"] | undefined;
}

export function DecisionSection({ changeset, holdout }: DecisionSectionProps) {
  const look = changeset.validation;
  const measured = look !== null && look.effect !== null;
  return (
    <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="flex min-w-0 flex-col gap-4">
        <EffectPanel changeset={changeset} look={look} />
        {measured ? (
          <>
            <RulePanel look={look} />
            <ArmsTable look={look} versions={[changeset.base_version, changeset.candidate_version]} />
            <GuardsTable guards={look.guards} alpha={look.alpha} />
          </>
        ) : (
          <Panel>
            <EmptyState title={look ? "The look has no numbers" : "The holdout has not been asked"}>
              {look
                ? "It ended, or has not ended yet, without a result; nobody was told anything."
                : "Champion and candidate are compared on frozen samples that no search can read. Look at the holdout to decide."}
            </EmptyState>
          </Panel>
        )}
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        {look && <ErrorBudget look={look} looksTaken={holdout?.looks} retiredAt={holdout?.retired_at ?? null} />}
        <Facts changeset={changeset} />
      </div>
    </div>
  );
}

function Facts({ changeset }: { changeset: ChangesetDetail }) {
  const workspaceId = useWorkspaceId();
  const look = changeset.validation;
  const link = "text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent";
  return (
    <Panel title="What was compared">
      <KeyValue
        items={[
          {
            label: "Objective",
            value: (
              <Link
                to="/w/$workspaceId/objectives/$objectiveId"
                params={{ workspaceId, objectiveId: changeset.objective_id }}
                className={link}
                title="As it was when the change set was proposed"
              >
                {objectiveText(changeset.objective)}
              </Link>
            ),
          },
          {
            label: "Rubric",
            value: (
              <Link to="/w/$workspaceId/rubrics/$rubricId" params={{ workspaceId, rubricId: changeset.rubric_id }} className={link}>
                version {formatCount(changeset.rubric_version)}
              </Link>
            ),
          },
          {
            label: "Samples",
            value: (
              <Link to="/w/$workspaceId/samples/$setId" params={{ workspaceId, setId: changeset.sample_set_id }} className={link}>
                set {shortId(changeset.sample_set_id)}
              </Link>
            ),
          },
          ...(look
            ? [
                {
                  label: "Holdout",
                  value: (
                    <span className="font-mono text-xs" title={`SHA-256 of the frozen samples: ${look.holdout_digest}`}>
                      {look.holdout_digest.slice(0, 12)}
                    </span>
                  ),
                },
                {
                  label: "Measured",
                  value: `${formatCount(look.n)} pairs in ${formatCount(look.groups)} groups${look.repeats > 1 ? `, ${look.repeats} repeats each` : ""}`,
                },
                ...look.judges.map((judge) => ({
                  label: `Judge of ${judge.dimension}`,
                  value: judge.calibrated
                    ? `${judge.model}, calibrated on ${formatCount(judge.labels)} labels`
                    : `${judge.model}, not calibrated: ${formatCount(judge.further_labels)} more labels needed`,
                })),
              ]
            : []),
          { label: "Agent was", value: sentenceCase(executionText(changeset.execution)) },
          { label: "Cost of search", value: formatCost(changeset.cost.search_usd) },
          { label: "Cost of looks", value: formatCost(changeset.cost.validation_usd) },
          { label: "Cost in all", value: formatCost(changeset.cost.total_usd) },
          { label: "Proposed", value: <Time at={changeset.created_at} /> },
        ]}
      />
    </Panel>
  );
}

function objectiveText(objective: Record<string, unknown>): string {
  const terms = Array.isArray(objective.terms) ? objective.terms.length : 0;
  const guards = Array.isArray(objective.guards) ? objective.guards.length : 0;
  return `${terms} ${terms === 1 ? "term" : "terms"}, ${guards} ${guards === 1 ? "guard" : "guards"}`;
}
