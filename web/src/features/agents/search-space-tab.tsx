import { getRouteApi } from "@tanstack/react-router";
import { SlidersHorizontal } from "lucide-react";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount, pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { knobsOf, valueAt } from "./config/search-space";
import { PRODUCTION } from "./versions/environments";
import { useConfig } from "./versions/version-document";

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

/** What a scan may change about the agent, and how far. */
export function SearchSpaceTab({ agent }: { agent: Schemas["AgentOut"] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const version = search.version ?? agent.live[PRODUCTION] ?? agent.latest_version ?? undefined;
  const config = useConfig(version);
  const edit = (
    <Button disabled={agent.archived} onClick={() => void navigate({ search: { tab: "edit", version } })}>
      Edit the config
    </Button>
  );
  if (version === undefined) return <EmptyState icon={<SlidersHorizontal />} title="No config version yet" actions={edit} />;
  if (config.error) return <ProblemNotice error={config.error} retry={() => void config.refetch()} />;
  if (!config.data) return <SkeletonRows rows={4} label="Loading the search space" />;
  const knobs = knobsOf(config.data.config);
  if (knobs.length === 0) {
    return (
      <EmptyState icon={<SlidersHorizontal />} title={`Version ${version} has no search space`} actions={edit}>
        A scan changes nothing that the search space does not list. Add a knob to <code className="font-mono">search_space</code> for each place
        of the config that may be changed.
      </EmptyState>
    );
  }
  return (
    <Panel
      title={`Search space of version ${version}`}
      description={`${pluralise(knobs.length, "place")} a scan may change, within these bounds; nothing else is ever changed.`}
      actions={edit}
      padded={false}
    >
      <Table aria-label="Search space">
        <TableHead>
          <TableRow>
            <TableHeader>Place</TableHeader>
            <TableHeader>Kind</TableHeader>
            <TableHeader>Bounds</TableHeader>
            <TableHeader>Now</TableHeader>
          </TableRow>
        </TableHead>
        <TableBody>
          {knobs.map(({ pointer, kind, bounds, creatable }) => (
            <TableRow key={pointer}>
              <TableCell className="font-mono text-xs">{pointer}</TableCell>
              <TableCell>
                <Badge>{kind}</Badge>
                {creatable && (
                  <Badge className="ml-1" title="A strategy may add it where it is missing">
                    may be added
                  </Badge>
                )}
              </TableCell>
              <TableCell className="numeric">{bounds}</TableCell>
              <TableCell className="max-w-96 truncate text-muted">{now(valueAt(config.data.config, pointer))}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Panel>
  );
}

function now(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return pluralise(value.length, "example");
  if (typeof value === "string") return value.length > 60 ? `${formatCount(value.length)} characters: ${value.slice(0, 60)}…` : value;
  return JSON.stringify(value);
}
