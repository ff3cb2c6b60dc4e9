import { lazy, Suspense, useMemo } from "react";
import { Link } from "@tanstack/react-router";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import { api, type Schemas } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { ActorName } from "../actor-name";
import { type Json, writeYaml } from "../config/yaml-write";
import { versionSide } from "../playground/sides";
import { useAgentPath } from "../use-agent-path";
import { PRODUCTION } from "./environments";
import type { PromotionWish } from "./promote-dialog";

const CodeEditor = lazy(() => import("@/components/editor/code-editor").then((module) => ({ default: module.CodeEditor })));

export interface VersionDocumentProps {
  agent: Schemas["AgentOut"];
  version: number;
  /** Every version that can be compared with. */
  numbers: readonly number[];
  onCompare: (other: number) => void;
  onPromote: (wish: PromotionWish) => void;
}

export function VersionDocument({ agent, version, numbers, onCompare, onPromote }: VersionDocumentProps) {
  const workspaceId = useWorkspaceId();
  const config = useConfig(version);
  const mayApprove = useMay("approve:agents");
  const mayWrite = useMay("write:workspace");
  const text = useMemo(() => (config.data ? writeYaml(config.data.config as Json) : ""), [config.data]);
  const others = numbers.filter((other) => other !== version);
  const live = agent.live[PRODUCTION];
  return (
    <Panel
      title={`Version ${version}`}
      description={
        config.data && (
          <>
            <Time at={config.data.created_at} /> by <ActorName actor={config.data.created_by} /> ·{" "}
            <span className="font-mono" title={`Hash of the config: ${config.data.config_hash}`}>
              {config.data.config_hash.slice(0, 12)}
            </span>
          </>
        )
      }
      actions={
        <>
          {others.length > 0 && (
            <Select
              label="Compare with"
              size="sm"
              className="w-36"
              value={undefined}
              placeholder="Compare with…"
              onValueChange={(other) => onCompare(Number(other))}
              options={others.map((other) => ({ value: String(other), label: `Version ${other}${other === live ? " (production)" : ""}` }))}
            />
          )}
          <Button size="sm" asChild>
            <Link to="/w/$workspaceId/agents/$agentId" params={{ workspaceId, agentId: agent.id }} search={{ tab: "playground", left: versionSide(version) }}>
              Try
            </Link>
          </Button>
          {mayWrite && !agent.archived && (
            <Button size="sm" asChild>
              <Link to="/w/$workspaceId/agents/$agentId" params={{ workspaceId, agentId: agent.id }} search={{ tab: "edit", version }}>
                Edit as new version
              </Link>
            </Button>
          )}
          <Button
            size="sm"
            variant="primary"
            disabled={!mayApprove || agent.archived}
            title={agent.archived ? "The agent is archived" : mayApprove ? undefined : lacking("approve:agents")}
            onClick={() => onPromote({ version, environment: PRODUCTION })}
          >
            Promote…
          </Button>
        </>
      }
    >
      {config.error ? (
        <ProblemNotice error={config.error} retry={() => void config.refetch()} />
      ) : config.isPending ? (
        <Skeleton className="h-96" />
      ) : (
        <div className="relative">
          <CopyButton text={text} label="Copy the config" className="absolute top-1 right-1 z-10 bg-surface" />
          <Suspense fallback={<Skeleton className="h-96" />}>
            <CodeEditor language="yaml" value={text} readOnly label={`Config of version ${version}`} className="max-h-[70vh]" />
          </Suspense>
        </div>
      )}
    </Panel>
  );
}

/** One version with its document; it never changes, only where it is live. */
export function useConfig(version: number | undefined) {
  const path = useAgentPath();
  return api.useQuery(
    "get",
    "/api/v1/workspaces/{workspace_id}/agents/{agent_id}/configs/{version}",
    { params: { path: { ...path, version: version ?? 0 } } },
    { enabled: version !== undefined, staleTime: 60_000 },
  );
}
