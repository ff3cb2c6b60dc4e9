import { getRouteApi } from "@tanstack/react-router";
import { FlaskConical, Play, Plus, X } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { lacking, useMay } from "@/api/access";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { useHotkey } from "@/components/use-hotkey";
import { ConfigEditor } from "../config/config-editor";
import { STARTING_POINT } from "../config/starting-point";
import { readYaml } from "../config/yaml-read";
import { type Json, writeYaml } from "../config/yaml-write";
import { useConfig } from "../versions/version-document";
import { variablesOf } from "./input";
import { InputForm } from "./input-form";
import { InvocationHistory } from "./invocation-history";
import { InvocationResult } from "./invocation-result";
import { SideChoice } from "./side-choice";
import { DRAFT, firstSide, sideOf, versionOf, versionSide } from "./sides";
import { useInvocation } from "./use-invocation";
import { usePlaygroundInput } from "./use-playground-input";

const route = getRouteApi("/w/$workspaceId/agents/$agentId");

export function PlaygroundTab({ agent }: { agent: Schemas["AgentOut"] }) {
  const search = route.useSearch();
  if (agent.archived) {
    return (
      <EmptyState icon={<FlaskConical />} title="The agent is archived">
        It takes no runs until it is out of the archive.
      </EmptyState>
    );
  }
  if (agent.runtime === "observed") {
    return (
      <EmptyState icon={<FlaskConical />} title="Nobody executes this agent yet">
        Only its traces are seen. Recover its template from them (Actions, top right) or write a config: then the platform runs that as a
        replica.
      </EmptyState>
    );
  }
  return <Playground agent={agent} left={search.left ?? firstSide(agent) ?? DRAFT} right={search.right} />;
}

function Playground({ agent, left, right }: { agent: Schemas["AgentOut"]; left: string; right: string | undefined }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("write:workspace");
  const [draft, setDraft] = useState<string | null>(null);
  const [shown, setShown] = useState<Schemas["InvocationOut"] | null>(null);
  const leftRun = useInvocation();
  const rightRun = useInvocation();
  const results = useRef<HTMLDivElement>(null);

  const base = useConfig(versionOf(sideOf(left, agent), agent));
  const baseText = useMemo(() => (base.data ? writeYaml(base.data.config as Json) : STARTING_POINT), [base.data]);
  const usesDraft = left === DRAFT || right === DRAFT;
  const draftText = draft ?? baseText;
  const document = useMemo(() => (usesDraft ? readYaml(draftText) : null), [usesDraft, draftText]);
  const config = left === DRAFT ? document?.value : base.data?.config;
  const variables = useMemo(() => variablesOf(config), [config]);
  const form = usePlaygroundInput(variables, variables.length > 0);
  const { input } = form;

  const broken = document !== null && document.problems.length > 0;
  const problem = input.ok ? undefined : input.problem;
  const refusal = mayWrite ? (problem ?? (broken ? "The edited config cannot be read" : undefined)) : lacking("write:workspace");
  const run = () => {
    if (refusal !== undefined || !input.ok) return;
    setShown(null);
    if (search.run !== undefined) void navigate({ search: (before) => ({ ...before, run: undefined }), replace: true });
    leftRun.start(sideOf(left, agent), document?.value ?? null, input.value, form.seed);
    if (right !== undefined) rightRun.start(sideOf(right, agent), document?.value ?? null, input.value, form.seed);
  };
  useHotkey("mod+Enter", run);
  const choose = (side: "left" | "right", value: string | undefined) => {
    // The draft begins with what stood there before.
    if (value === DRAFT && draft === null) setDraft(baseText);
    void navigate({ search: (before) => ({ ...before, [side]: value }) });
  };
  const latest = agent.latest_version === null ? DRAFT : versionSide(agent.latest_version);
  const against = latest === left ? DRAFT : latest;
  const isComparing = right !== undefined;
  return (
    <>
      <div className="grid min-w-0 items-start gap-4 lg:grid-cols-[minmax(18rem,26rem)_minmax(0,1fr)]">
        <Panel title="Input" description={describeInput(agent.runtime, variables.length)}>
          <InputForm form={form} problem={problem} />
          <div className="mt-3 flex flex-wrap items-center gap-2">
            <Button
              variant="primary"
              pending={leftRun.isPending || rightRun.isPending}
              disabled={refusal !== undefined}
              title={refusal ?? "⌘Enter or Ctrl+Enter"}
              onClick={run}
            >
              <Play aria-hidden />
              {isComparing ? "Run both" : "Run"}
            </Button>
            <Button onClick={() => choose("right", isComparing ? undefined : against)}>
              {isComparing ? <X aria-hidden /> : <Plus aria-hidden />}
              {isComparing ? "Stop comparing" : "Compare two versions"}
            </Button>
          </div>
        </Panel>
        <div ref={results} className={isComparing ? "grid min-w-0 items-start gap-4 xl:grid-cols-2" : "min-w-0"}>
          <Panel
            title={isComparing ? "Left" : "Result"}
            actions={<SideChoice label="Runs" agent={agent} value={left} onValueChange={(value) => choose("left", value)} />}
          >
            <InvocationResult run={leftRun} shown={shown} other={isComparing ? rightRun.result : undefined} />
          </Panel>
          {right !== undefined && (
            <Panel
              title="Right"
              actions={<SideChoice label="Right runs" agent={agent} value={right} onValueChange={(value) => choose("right", value)} />}
            >
              <InvocationResult run={rightRun} shown={null} other={shown === null ? leftRun.result : undefined} />
            </Panel>
          )}
        </div>
      </div>
      {usesDraft && (
        <Panel
          title="Edited config"
          description="Runs as it stands here and is kept nowhere; to keep it, save it as a version under Edit."
          actions={
            <Button size="sm" disabled={draftText === baseText} onClick={() => setDraft(null)}>
              Start over
            </Button>
          }
        >
          <ConfigEditor
            text={draftText}
            onTextChange={setDraft}
            refused={[...leftRun.refused, ...rightRun.refused]}
            label="Edited config"
            className="max-h-[50vh]"
          />
        </Panel>
      )}
      <InvocationHistory
        // What the input is made of must be known before one is put into it.
        selected={base.isLoading ? undefined : search.run}
        onShow={(invocation) => {
          form.load(invocation);
          setShown(invocation);
          void navigate({ search: (before) => ({ ...before, run: invocation.id }), resetScroll: false });
          results.current?.scrollIntoView({ block: "nearest" });
        }}
        onFound={(invocation) => {
          if (shown !== null || leftRun.isPending || leftRun.result) return;
          form.load(invocation);
          setShown(invocation);
        }}
      />
    </>
  );
}

function describeInput(runtime: string, variables: number): string {
  const needed = variables > 0 ? "A value for each variable of the prompt." : "Any JSON.";
  return runtime === "runner" ? `${needed} A connected runner answers; without one the run ends at the timeout.` : needed;
}
