import { useMutation, useQuery } from "@tanstack/react-query";
import { Calculator } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import { api, http, type Schemas } from "@/api/client";
import { formatCost, formatCount, formatDuration, formatNumber, formatPercent, formatPoints } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Stat } from "@/components/stat";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { MOST_PAIRS, pairsOf } from "./measured-pairs";
import type { Objective } from "./objective-draft";
import type { ObjectiveDetailSearch } from "./search";

interface ObjectivePreviewProps {
  workspaceId: string;
  objective: Objective;
  dirty: boolean;
  search: ObjectiveDetailSearch;
  onChange: (part: Partial<ObjectiveDetailSearch>) => void;
}

const PAGE = 100;

/** The saved objective on pairs that an experiment has measured. */
export function ObjectivePreview({ workspaceId, objective, dirty, search, onChange }: ObjectivePreviewProps) {
  const mayWrite = useMay("write:workspace");
  const experiments = useQuery(
    api.queryOptions("get", "/api/v1/workspaces/{workspace_id}/changesets/experiments", {
      params: { path: { workspace_id: workspaceId }, query: { limit: 100 } },
    }),
  );
  const usable = experiments.data?.results.filter(({ status, scan_id }) => status === "completed" && scan_id === null) ?? [];
  const chosen = usable.find(({ id }) => id === search.experiment);
  const arm = search.arm ?? 1;
  const preview = useMutation({
    mutationFn: async (experimentId: string) => {
      const items = await itemsOf(workspaceId, experimentId);
      const { data } = await http.POST("/api/v1/workspaces/{workspace_id}/evaluations/objectives/{objective_id}/preview", {
        params: { path: { workspace_id: workspaceId, objective_id: objective.id } },
        body: { pairs: pairsOf(items, arm) },
      });
      return data!;
    },
  });
  const refused = !mayWrite ? lacking("write:workspace") : dirty ? "Save first: what is stored is applied" : undefined;
  return (
    <Panel title="Apply it to what was measured" description="To the pairs of an experiment that was started by hand">
      <div className="flex flex-col gap-3">
        {experiments.error && <ProblemNotice error={experiments.error} retry={() => void experiments.refetch()} />}
        {experiments.data && usable.length === 0 ? (
          <p className="text-sm text-muted">No experiment by hand is completed yet.</p>
        ) : (
          <div className="grid items-end gap-3 sm:grid-cols-2">
            <Field label="Experiment">
              {(control) => (
                <Combobox
                  {...control}
                  value={search.experiment}
                  onValueChange={(experiment) => {
                    preview.reset();
                    onChange({ experiment, arm: undefined });
                  }}
                  options={usable.map(({ id, name, items }) => ({ value: id, label: name, hint: `${formatCount(items)} items` }))}
                  placeholder="Choose an experiment"
                />
              )}
            </Field>
            <Field label="Arm, against the baseline">
              {(control) => (
                <Select
                  {...control}
                  disabled={!chosen}
                  value={String(arm)}
                  onValueChange={(next) => {
                    preview.reset();
                    onChange({ arm: Number(next) });
                  }}
                  options={(chosen?.arms ?? []).slice(1).map(({ label }, index) => ({ value: String(index + 1), label }))}
                />
              )}
            </Field>
          </div>
        )}
        <div>
          <Button disabled={!chosen || refused !== undefined} title={refused} pending={preview.isPending} onClick={() => chosen && preview.mutate(chosen.id)}>
            <Calculator aria-hidden />
            Apply
          </Button>
        </div>
        {preview.error !== null && <ProblemNotice error={preview.error} />}
        {preview.data && <Result preview={preview.data} />}
      </div>
    </Panel>
  );
}

async function itemsOf(workspaceId: string, experimentId: string) {
  const read = async (offset: number) => {
    const { data } = await http.GET("/api/v1/workspaces/{workspace_id}/changesets/experiments/{experiment_id}/results/items", {
      params: { path: { workspace_id: workspaceId, experiment_id: experimentId }, query: { limit: PAGE, offset } },
    });
    return data!;
  };
  const first = await read(0);
  const items = [...first.results];
  for (let offset = PAGE; offset < Math.min(first.pagination.total, MOST_PAIRS); offset += PAGE) {
    items.push(...(await read(offset)).results);
  }
  return items;
}

type Preview = Schemas["ObjectivePreviewOut"];

function Result({ preview }: { preview: Preview }) {
  const complete = preview.pairs.length - preview.missing;
  return (
    <div role="status" className="flex flex-col gap-3 border-t border-line pt-3">
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-3">
        <Stat
          label="Mean difference"
          value={formatPoints(preview.mean_difference)}
          hint={`n = ${formatCount(complete)}; no interval`}
          tone={preview.mean_difference === null ? "neutral" : preview.mean_difference > preview.minimum_effect ? "good" : preview.mean_difference < 0 ? "bad" : "neutral"}
        />
        <Stat label="Minimum effect" value={formatPoints(preview.minimum_effect)} />
        <Stat label="Missing pairs" value={formatCount(preview.missing)} tone={preview.missing > 0 ? "warn" : "neutral"} />
      </div>
      <p className="numeric text-xs text-muted">
        Weights:{" "}
        {Object.entries(preview.weights)
          .map(([source, weight]) => `${source} ${formatPercent(weight)}`)
          .join(", ")}
        . Point estimates: a verdict needs intervals, which an experiment or a validation gives.
      </p>
      {preview.guards.length > 0 && (
        <Table aria-label="Guards on these pairs">
          <TableHead>
            <tr>
              <TableHeader>Guard</TableHeader>
              <TableHeader align="right" title="What is left of the allowance; negative is harm">
                Slack
              </TableHeader>
              <TableHeader align="right">Pairs</TableHeader>
              <TableHeader>Here</TableHeader>
            </tr>
          </TableHead>
          <TableBody>
            {preview.guards.map((guard) => (
              <TableRow key={guard.name}>
                <TableCell>{guard.name}</TableCell>
                <TableCell align="right">{slack(guard)}</TableCell>
                <TableCell align="right">{formatCount(guard.pairs)}</TableCell>
                <TableCell>
                  <Badge tone={guard.slack === null ? "neutral" : guard.holds ? "good" : "bad"}>{guard.slack === null ? "Unknown" : guard.holds ? "Holds" : "Harmed"}</Badge>
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </div>
  );
}

function slack({ slack: left, unit }: Preview["guards"][number]): string {
  if (left === null) return "unknown";
  if (unit === "ms") return formatDuration(left);
  if (unit === "usd") return formatCost(left);
  return unit === "score" || unit === "error" ? formatPoints(left) : formatNumber(left);
}
