import { useWorkspaceId } from "@/api/access";
import { api } from "@/api/client";
import { formatPoints } from "@/components/format";
import { Panel } from "@/components/ui/panel";
import { EffectPlot, type EffectRow } from "./effect-plot";
import { effectTone, isKnown } from "./effect-scale";
import type { ChangesetDetail, Effect, Look } from "./evidence-types";
import { alphaText, levelText, methodText } from "./wording";

export interface EffectPanelProps {
  changeset: ChangesetDetail;
  look: Look | null;
}

/** The one picture of the decision: the effect against no difference and against the least that counts. */
export function EffectPanel({ changeset, look }: EffectPanelProps) {
  const searched = useSearchResult(changeset);
  const rows = rowsOf(look);
  if (searched && searched.low !== null && searched.high !== null) {
    rows.push({
      id: "search",
      label: "Search, 95 % interval",
      hint: "no proof: chosen on these samples",
      value: searched.effect,
      low: searched.low,
      high: searched.high,
      n: searched.n,
      tone: "neutral",
    });
  }
  if (rows.length === 0 && !look?.effect) return null;
  return (
    <Panel
      title="Effect on the objective, candidate − champion"
      description={
        look?.effect
          ? `Mean of the paired differences on the holdout; ${methodText(look.effect.method)}`
          : "Only what the search measured on its own samples"
      }
    >
      {look?.effect && !isKnown(look.effect) && (
        <p className="mb-2 text-sm text-muted">
          {formatPoints(look.effect.mean)} on the holdout, without an interval: all samples belong to one group.
        </p>
      )}
      {rows.length > 0 && <EffectPlot rows={rows} minimum={look?.minimum_effect} />}
    </Panel>
  );
}

function rowsOf(look: Look | null): EffectRow[] {
  if (!look) return [];
  const level = look.effect ? levelText(look.effect.confidence) : "";
  const found = [
    rowOf("decides", `${level} interval, decides`, look.effect, look),
    rowOf("reported", "95 % interval", look.effect_95, look),
  ].filter((row) => row !== null);
  const [first] = found;
  if (first?.id === "decides") first.hint = `α = ${alphaText(look.alpha)} of look ${look.look}`;
  return found;
}

function rowOf(id: string, label: string, effect: Effect | null, { n, minimum_effect: minimum }: Look): EffectRow | null {
  if (!isKnown(effect)) return null;
  const { mean: value, low, high } = effect;
  return { id, label, value, low, high, n, tone: effectTone(effect, minimum) };
}

/** What the search said about this candidate before the holdout was asked. */
function useSearchResult(changeset: ChangesetDetail) {
  const workspaceId = useWorkspaceId();
  const experimentId = changeset.experiment_id;
  const { data } = api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/results",
    { params: { path: { workspace_id: workspaceId, experiment_id: experimentId ?? "" }, query: { limit: 100 } } },
    { enabled: experimentId !== null, staleTime: 300_000 },
  );
  return data?.results.find((one) => one.config_hash === changeset.evidence.candidate.candidate_config_hash);
}
