import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { FlaskConical, GitCompareArrows, Plus } from "lucide-react";
import { lacking, useMay } from "@/api/access";
import { EmptyState } from "@/components/empty-state";
import { formatCount, shortId } from "@/components/format";
import { IntervalValue } from "@/components/interval-value";
import { Page } from "@/components/page";
import { Pagination } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { ComparePanel } from "./compare-panel";
import { agentsQuery, type Experiment, experimentListQuery, PAGE } from "./queries";
import { type ExperimentListSearch, MOST_COMPARED } from "./search";

const route = getRouteApi("/w/$workspaceId/experiments");

export function ExperimentListPage() {
  const { workspaceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const offset = search.offset ?? 0;
  const found = useQuery(experimentListQuery(workspaceId, { agent_id: search.agent, scan_id: search.scan, offset }));
  const agents = useQuery(agentsQuery(workspaceId));
  const agentName = new Map(agents.data?.results.map(({ id, name }) => [id, name]));
  const change = (part: Partial<ExperimentListSearch>, replace = true) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace });
  const ids = search.ids ?? [];
  const create = mayWrite ? (
    <Button variant="primary" asChild>
      <Link to="/w/$workspaceId/experiments/new" params={{ workspaceId }} search={search.agent ? { agent: search.agent } : {}}>
        <Plus aria-hidden />
        New experiment
      </Link>
    </Button>
  ) : (
    <Button variant="primary" disabled title={lacking("write:workspace")}>
      <Plus aria-hidden />
      New experiment
    </Button>
  );
  return (
    <Page title="Experiments" description="Configurations compared on the same samples, paired item by item. The first arm is the baseline." actions={create}>
      <div className="flex flex-wrap items-center gap-2">
        <Select
          label="Agent"
          size="sm"
          className="w-48"
          value={search.agent ?? ""}
          onValueChange={(agent) => change({ agent: agent || undefined, offset: undefined })}
          options={[{ value: "", label: "All agents" }, ...(agents.data?.results ?? []).map(({ id, name }) => ({ value: id, label: name }))]}
        />
        {search.scan && (
          <Button size="sm" onClick={() => change({ scan: undefined })}>
            Of scan {shortId(search.scan)} · show all
          </Button>
        )}
        <div className="ml-auto flex items-center gap-2">
          {ids.length > 0 && (
            <>
              <span className="numeric text-xs text-muted" role="status">
                {ids.length} of {MOST_COMPARED} chosen
              </span>
              <Button size="sm" variant="ghost" onClick={() => change({ ids: undefined, compare: undefined })}>
                Clear
              </Button>
            </>
          )}
          <Button
            size="sm"
            disabled={ids.length < 2}
            title={ids.length < 2 ? "Choose two to four experiments on the same items and rubric" : undefined}
            onClick={() => change({ compare: search.compare ? undefined : true }, false)}
          >
            <GitCompareArrows aria-hidden />
            {search.compare ? "Close comparison" : "Compare"}
          </Button>
        </div>
      </div>
      {search.compare && ids.length >= 2 && <ComparePanel workspaceId={workspaceId} ids={ids} />}
      {found.error ? (
        <ProblemNotice error={found.error} retry={() => void found.refetch()} />
      ) : (
        <Panel padded={false}>
          {!found.data ? (
            <SkeletonRows rows={8} label="Loading experiments" />
          ) : found.data.results.length === 0 ? (
            <EmptyState icon={<FlaskConical />} title="No experiment yet" actions={create}>
              Compare two versions of an agent on a sample set, or let a pipeline do it with <code className="font-mono text-xs">spectral check</code>. Scans leave
              theirs here too.
            </EmptyState>
          ) : (
            <Experiments
              workspaceId={workspaceId}
              experiments={found.data.results}
              agentName={agentName}
              ids={ids}
              onIds={(next) => change({ ids: next.length > 0 ? next : undefined, compare: next.length < 2 ? undefined : search.compare })}
            />
          )}
        </Panel>
      )}
      {found.data && found.data.pagination.total > PAGE && (
        <Pagination total={found.data.pagination.total} limit={PAGE} offset={offset} onOffsetChange={(next) => change({ offset: next || undefined }, false)} />
      )}
    </Page>
  );
}

interface ExperimentsProps {
  workspaceId: string;
  experiments: readonly Experiment[];
  agentName: ReadonlyMap<string, string>;
  ids: readonly string[];
  onIds: (ids: string[]) => void;
}

function Experiments({ workspaceId, experiments, agentName, ids, onIds }: ExperimentsProps) {
  return (
    <Table aria-label="Experiments">
      <TableHead>
        <tr>
          <TableHeader>
            <span className="sr-only">Compare</span>
          </TableHeader>
          <TableHeader>Name</TableHeader>
          <TableHeader>Status</TableHeader>
          <TableHeader>Agent</TableHeader>
          <TableHeader align="right">Items</TableHeader>
          <TableHeader align="right">Arms</TableHeader>
          <TableHeader title="Mean of the objective, with its 95 % interval">Baseline</TableHeader>
          <TableHeader title="The arm with the highest mean besides the baseline">Best other arm</TableHeader>
          <TableHeader>Created</TableHeader>
        </tr>
      </TableHead>
      <TableBody>
        {experiments.map((one) => {
          const checked = ids.includes(one.id);
          const refused = one.status !== "completed" ? "Only completed experiments can be compared" : !checked && ids.length >= MOST_COMPARED ? `At most ${MOST_COMPARED}` : undefined;
          const [baseline, ...others] = one.arms;
          const best = [...others].sort((a, b) => (b.objective ?? -1) - (a.objective ?? -1))[0];
          return (
            <TableRow key={one.id} selected={checked}>
              <TableCell>
                <Checkbox
                  checked={checked}
                  disabled={refused !== undefined}
                  title={refused}
                  aria-label={`Compare ${one.name}`}
                  onCheckedChange={(on) => onIds(on ? [...ids, one.id] : ids.filter((id) => id !== one.id))}
                />
              </TableCell>
              <TableCell>
                <span className="flex items-center gap-2">
                  <Link to="/w/$workspaceId/experiments/$experimentId" params={{ workspaceId, experimentId: one.id }} className="font-medium hover:underline">
                    {one.name}
                  </Link>
                  {one.scan_id && (
                    <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId: one.scan_id }} title="Made by a scan">
                      <Badge>scan</Badge>
                    </Link>
                  )}
                </span>
              </TableCell>
              <TableCell>
                <StatusBadge status={one.status} title={one.failure?.detail} />
              </TableCell>
              <TableCell className="whitespace-nowrap">{agentName.get(one.agent_id) ?? <span className="font-mono text-xs">{shortId(one.agent_id)}</span>}</TableCell>
              <TableCell align="right" title={`${one.split} of version ${one.sample_set_version}`}>
                {formatCount(one.items)}
              </TableCell>
              <TableCell align="right">{one.arms.length}</TableCell>
              <TableCell>{baseline && baseline.objective !== null && <Objective arm={baseline} />}</TableCell>
              <TableCell>{best && best.objective !== null && <Objective arm={best} />}</TableCell>
              <TableCell className="whitespace-nowrap text-muted">
                <Time at={one.created_at} />
              </TableCell>
            </TableRow>
          );
        })}
      </TableBody>
    </Table>
  );
}

function Objective({ arm }: { arm: Experiment["arms"][number] }) {
  return (
    <span className="whitespace-nowrap">
      <span className="mr-1.5 text-xs text-muted">{arm.label}</span>
      <IntervalValue value={arm.objective} low={arm.objective_low} high={arm.objective_high} as="percent" level={0.95} />
    </span>
  );
}
