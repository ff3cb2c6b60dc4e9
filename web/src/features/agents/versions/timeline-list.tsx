import { Link } from "@tanstack/react-router";
import { ArrowUpFromLine, Undo2 } from "lucide-react";
import type { ReactNode } from "react";
import { lacking, useMay, useWorkspaceId } from "@/api/access";
import type { Schemas } from "@/api/client";
import { cn } from "@/components/cn";
import { formatPercent, shortId } from "@/components/format";
import { statusLabel } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { Panel } from "@/components/ui/panel";
import { ActorName } from "../actor-name";
import { PRODUCTION } from "./environments";
import type { PromotionWish } from "./promote-dialog";
import { changesetOf, type Effect, type Promotion, type TimelineEntry, type Version } from "./timeline";

export interface TimelineListProps {
  entries: readonly TimelineEntry[];
  changesets: readonly Schemas["ChangesetOut"][];
  agent: Schemas["AgentOut"];
  selected: number | undefined;
  /** Versions that are chosen for comparison. */
  marked: readonly number[];
  onSelect: (version: number) => void;
  onMark: (version: number, on: boolean) => void;
  onPromote: (wish: PromotionWish) => void;
  footer: ReactNode;
}

export function TimelineList({ entries, changesets, agent, selected, marked, onSelect, onMark, onPromote, footer }: TimelineListProps) {
  const mayApprove = useMay("approve:agents");
  const refusal = agent.archived ? "The agent is archived" : mayApprove ? undefined : lacking("approve:agents");
  return (
    <Panel
      title="Timeline"
      description={marked.length === 1 ? `Version ${marked[0]} is marked: mark another one to compare` : "Mark two versions to compare them"}
      padded={false}
    >
      <ol className="flex flex-col">
        {entries.map((entry) =>
          entry.kind === "version" ? (
            <VersionEntry
              key={`version ${entry.version.version}`}
              version={entry.version}
              changeset={changesets.find((one) => one.candidate_version === entry.version.version)}
              selected={entry.version.version === selected}
              marked={marked.includes(entry.version.version)}
              onSelect={() => onSelect(entry.version.version)}
              onMark={(on) => onMark(entry.version.version, on)}
              onPromote={() => onPromote({ version: entry.version.version, environment: PRODUCTION })}
              refusal={refusal}
            />
          ) : (
            <PromotionEntry
              key={entry.promotion.id}
              promotion={entry.promotion}
              effect={entry.effect}
              isLive={agent.live[entry.promotion.environment] === entry.promotion.version}
              onPromote={() => onPromote({ version: entry.promotion.version, environment: entry.promotion.environment })}
              refusal={refusal}
            />
          ),
        )}
      </ol>
      {footer}
    </Panel>
  );
}

interface VersionEntryProps {
  version: Version;
  changeset: Schemas["ChangesetOut"] | undefined;
  selected: boolean;
  marked: boolean;
  onSelect: () => void;
  onMark: (on: boolean) => void;
  onPromote: () => void;
  refusal: string | undefined;
}

function VersionEntry({ version, changeset, selected, marked, onSelect, onMark, onPromote, refusal }: VersionEntryProps) {
  return (
    <li className={cn("group flex items-start gap-2 border-b border-line px-3 py-2 last:border-b-0", selected && "bg-selected")}>
      <Checkbox checked={marked} onCheckedChange={onMark} aria-label={`Compare version ${version.version}`} className="mt-0.5" />
      <div className="flex min-w-0 flex-1 flex-col gap-0.5">
        <div className="flex min-w-0 flex-wrap items-center gap-1.5">
          <button
            type="button"
            onClick={onSelect}
            aria-current={selected ? "true" : undefined}
            className="numeric rounded-sm py-0.5 font-semibold hover:underline"
          >
            Version {version.version}
          </button>
          {version.live_in.map((environment) => (
            <Badge key={environment} tone={environment === PRODUCTION ? "good" : "neutral"} dot>
              {environment}
            </Badge>
          ))}
        </div>
        {version.note && <p className="text-sm break-words">{version.note}</p>}
        <p className="text-xs text-muted">
          <Time at={version.created_at} /> by <Origin version={version} changeset={changeset} />
        </p>
      </div>
      <Button size="sm" variant="ghost" disabled={refusal !== undefined} title={refusal} onClick={onPromote} aria-label={`Promote version ${version.version}…`}>
        Promote…
      </Button>
    </li>
  );
}

function Origin({ version, changeset }: { version: Version; changeset: Schemas["ChangesetOut"] | undefined }) {
  return (
    <>
      <ActorName actor={version.origin.startsWith("scan:") ? version.origin : version.created_by} />
      {changeset && (
        <>
          {" · "}
          <ChangesetLink id={changeset.id} label={`change set, ${statusLabel(changeset.state).toLowerCase()}`} />
        </>
      )}
    </>
  );
}

const EVENT = {
  first: { icon: ArrowUpFromLine, tone: "text-muted" },
  forward: { icon: ArrowUpFromLine, tone: "text-good" },
  back: { icon: Undo2, tone: "text-bad" },
} as const;

interface PromotionEntryProps {
  promotion: Promotion;
  effect: Effect;
  isLive: boolean;
  onPromote: () => void;
  refusal: string | undefined;
}

function PromotionEntry({ promotion, effect, isLive, onPromote, refusal }: PromotionEntryProps) {
  const { icon: Icon, tone } = EVENT[effect];
  const changeset = changesetOf(promotion.reason);
  return (
    <li className="flex items-start gap-2 border-b border-line bg-canvas px-3 py-1.5 text-xs last:border-b-0">
      <Icon aria-hidden className={cn("mt-0.5 size-4 shrink-0", tone)} />
      <div className="min-w-0 flex-1">
        <p className="numeric">
          <span className="font-medium">{promotion.environment}</span>{" "}
          {effect === "back" ? `rolled back from version ${promotion.previous_version} to ${promotion.version}` : `runs version ${promotion.version}`}
          {effect === "forward" && <span className="text-muted"> in place of {promotion.previous_version}</span>}
          {promotion.holdback !== null && <span className="text-muted"> · {formatPercent(promotion.holdback, { digits: 0 })} held back</span>}
        </p>
        {promotion.reason && (
          <p className="break-words">{changeset ? <ReasonWithLink reason={promotion.reason} changeset={changeset} /> : promotion.reason}</p>
        )}
        <p className="text-muted">
          <Time at={promotion.created_at} /> by <ActorName actor={promotion.actor} />
        </p>
      </div>
      {!isLive && (
        <Button
          size="sm"
          variant="ghost"
          disabled={refusal !== undefined}
          title={refusal ?? `Put version ${promotion.version} live in ${promotion.environment} again`}
          onClick={onPromote}
          aria-label={`Restore version ${promotion.version} in ${promotion.environment}…`}
        >
          Restore…
        </Button>
      )}
    </li>
  );
}

function ReasonWithLink({ reason, changeset }: { reason: string; changeset: string }) {
  return (
    <>
      <ChangesetLink id={changeset} label={`change set ${shortId(changeset)}`} />
      {reason.slice(reason.indexOf(changeset) + changeset.length)}
    </>
  );
}

function ChangesetLink({ id, label }: { id: string; label: string }) {
  const workspaceId = useWorkspaceId();
  return (
    <Link
      to="/w/$workspaceId/changesets/$changesetId"
      params={{ workspaceId, changesetId: id }}
      title={id}
      className="text-accent hover:underline dark:text-series-1"
    >
      {label}
    </Link>
  );
}

