import { getRouteApi } from "@tanstack/react-router";
import { keepPreviousData } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, type Schemas } from "@/api/client";
import { formatCost, formatCount, formatDuration } from "@/components/format";
import { Pagination } from "@/components/pagination";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { ActorName } from "../actor-name";
import { useAgentPath } from "../use-agent-path";
import { INVOCATIONS } from "./use-invocation";

type Invocation = Schemas["InvocationOut"];

const route = getRouteApi("/w/$workspaceId/agents/$agentId");
const PAGE = 20;

export interface InvocationHistoryProps {
  selected: string | undefined;
  onShow: (invocation: Invocation) => void;
  /** The run that the address names has been read. */
  onFound: (invocation: Invocation) => void;
}

export function InvocationHistory({ selected, onShow, onFound }: InvocationHistoryProps) {
  const path = useAgentPath();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const offset = search.offset ?? 0;
  const invocations = api.useQuery(
    "get",
    INVOCATIONS,
    { params: { path, query: { limit: PAGE, offset } } },
    { placeholderData: keepPreviousData },
  );
  const named = selected === undefined ? undefined : invocations.data?.results.find(({ id }) => id === selected);
  const found = useRef(onFound);
  useEffect(() => {
    found.current = onFound;
  });
  useEffect(() => {
    if (named) found.current(named);
  }, [named]);
  if (invocations.error) return <ProblemNotice error={invocations.error} retry={() => void invocations.refetch()} />;
  return (
    <Panel title="History" description="Every run in the playground is kept. Choose one to see it again and to run its input once more." padded={false}>
      {invocations.isPending ? (
        <SkeletonRows rows={3} label="Loading the history" />
      ) : invocations.data.results.length === 0 ? (
        <p className="p-3 text-sm text-muted">No run yet.</p>
      ) : (
        <Table aria-label="Playground runs">
          <TableHead>
            <TableRow>
              <TableHeader>When</TableHeader>
              <TableHeader>Config</TableHeader>
              <TableHeader>Input</TableHeader>
              <TableHeader>Output</TableHeader>
              <TableHeader align="right">Tokens</TableHeader>
              <TableHeader align="right">Cost</TableHeader>
              <TableHeader align="right">Latency</TableHeader>
              <TableHeader>By</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {invocations.data.results.map((one) => (
              <TableRow key={one.id} selected={one.id === selected} className="hover:bg-hover">
                <TableCell className="whitespace-nowrap">
                  <button type="button" className="rounded-sm py-0.5 text-accent hover:underline dark:text-series-1" onClick={() => onShow(one)}>
                    <Time at={one.started_at} />
                  </button>
                </TableCell>
                <TableCell className="numeric whitespace-nowrap">{one.version === null ? "draft" : `v${one.version}`}</TableCell>
                <TableCell className="max-w-72 truncate">{preview(one.input)}</TableCell>
                <TableCell className="max-w-72 truncate">
                  {one.error ? <Badge tone="bad">{one.error.type}</Badge> : one.output}
                </TableCell>
                <TableCell align="right" className="whitespace-nowrap">
                  {formatCount(one.input_tokens + one.output_tokens)}
                </TableCell>
                <TableCell align="right" className="whitespace-nowrap">
                  {formatCost(one.cost_usd)}
                </TableCell>
                <TableCell align="right" className="whitespace-nowrap">
                  {formatDuration(one.latency_ms)}
                </TableCell>
                <TableCell className="max-w-48 truncate text-muted">
                  <ActorName actor={one.actor} />
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
      {invocations.data && invocations.data.pagination.total > PAGE && (
        <div className="border-t border-line px-3 py-2">
          <Pagination
            {...invocations.data.pagination}
            onOffsetChange={(next) => void navigate({ search: (before) => ({ ...before, offset: next || undefined, run: undefined }) })}
          />
        </div>
      )}
    </Panel>
  );
}

function preview(input: unknown): string {
  if (typeof input === "string") return input;
  if (typeof input === "object" && input !== null) {
    const values = Object.values(input);
    if (values.length === 1 && typeof values[0] === "string") return values[0];
  }
  return JSON.stringify(input);
}
