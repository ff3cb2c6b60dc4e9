import { ChevronDown, ChevronUp } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/components/cn";
import { formatCost, formatCount, formatDuration, formatPercent } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { TextBody } from "@/components/text-body";
import { Button } from "@/components/ui/button";
import { Sheet } from "@/components/ui/sheet";
import { Switch } from "@/components/ui/switch";
import { Delta } from "./delta";
import { dimensionsOf } from "./dimension-scores";
import type { ArmCell, ItemRow, Outcome } from "./item-rows";
import type { Experiment } from "./queries";
import { wordDiff } from "./word-diff";

interface ItemPanelProps {
  experiment: Experiment;
  row: ItemRow | undefined;
  place: { at: number; of: number } | null;
  diff: boolean;
  onDiff: (on: boolean) => void;
  onMove: (step: 1 | -1) => void;
  onClose: () => void;
}

export function ItemPanel({ experiment, row, place, diff, onDiff, onMove, onClose }: ItemPanelProps) {
  return (
    <Sheet
      open={row !== undefined}
      onOpenChange={(open) => !open && onClose()}
      width={Math.min(1180, 420 + experiment.arms.length * 240)}
      title="Item"
      description={
        <span className="numeric">
          {place && `${formatCount(place.at + 1)} of ${formatCount(place.of)} · `}
          <span className="font-mono">{row?.id}</span>
        </span>
      }
      actions={
        <>
          <Switch checked={diff} onCheckedChange={onDiff} label={<span className="text-xs">Mark changes</span>} className="mr-2" />
          <Button variant="ghost" size="icon" aria-label="Previous item (K)" title="Previous item (K)" disabled={!place || place.at === 0} onClick={() => onMove(-1)}>
            <ChevronUp aria-hidden />
          </Button>
          <Button variant="ghost" size="icon" aria-label="Next item (J)" title="Next item (J)" disabled={!place || place.at + 1 >= place.of} onClick={() => onMove(1)}>
            <ChevronDown aria-hidden />
          </Button>
        </>
      }
    >
      {row && (
        <div className="flex flex-col gap-4">
          <div className="grid gap-4 sm:grid-cols-2">
            <Part title="Input">{row.item.input === null ? <Absent>Deleted from its set</Absent> : <Value value={row.item.input} label="Input" />}</Part>
            <Part title="Expected">{row.item.expected === null ? <Absent>Nothing is expected</Absent> : <Value value={row.item.expected} label="Expected" />}</Part>
          </div>
          <div className={cn("grid gap-3", experiment.arms.length > 1 && "sm:grid-cols-2", experiment.arms.length > 2 && "lg:grid-cols-3")}>
            {experiment.arms.map((arm, index) => {
              const cell = row.cells[index];
              return cell && <Arm key={index} label={arm.label} cell={cell} baseline={index === 0 ? null : (row.cells[0] ?? null)} diff={diff} />;
            })}
          </div>
        </div>
      )}
    </Sheet>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex min-w-0 flex-col gap-1">
      <h3 className="text-xs font-medium text-muted">{title}</h3>
      <div className="min-w-0 flex-1 rounded-md border border-line bg-canvas p-2.5">{children}</div>
    </section>
  );
}

function Absent({ children }: { children: ReactNode }) {
  return <p className="text-sm text-muted">{children}.</p>;
}

function Value({ value, label }: { value: unknown; label: string }) {
  return typeof value === "string" ? <TextBody text={value} /> : <JsonView value={value} label={label} />;
}

interface ArmProps {
  label: string;
  cell: ArmCell;
  /** Null for the baseline itself. */
  baseline: ArmCell | null;
  diff: boolean;
}

function Arm({ label, cell, baseline, diff }: ArmProps) {
  return (
    <section aria-label={label} className="flex min-w-0 flex-col rounded-md border border-line">
      <header className="flex items-center gap-2 border-b border-line px-3 py-1.5">
        <h3 className="min-w-0 truncate text-sm font-semibold">{label}</h3>
        {baseline === null && <span className="text-xs text-muted">baseline</span>}
        <span className="numeric ml-auto font-semibold">{cell.score === null ? <span className="font-normal text-warn">missing</span> : formatPercent(cell.score)}</span>
        {baseline !== null && <Delta delta={cell.delta} standing={cell.standing} />}
      </header>
      <div className="flex flex-col divide-y divide-line">
        {cell.outcomes.length === 0 && <p className="p-3 text-sm text-muted">Not measured on this item.</p>}
        {cell.outcomes.map((outcome) => (
          <Execution
            key={outcome.repeat}
            outcome={outcome}
            numbered={cell.outcomes.length > 1}
            before={diff ? (baseline?.outcomes.find(({ repeat }) => repeat === outcome.repeat)?.output ?? null) : null}
          />
        ))}
      </div>
    </section>
  );
}

function Execution({ outcome, numbered, before }: { outcome: Outcome; numbered: boolean; before: string | null }) {
  return (
    <div className="flex min-w-0 flex-col gap-2 p-3">
      {numbered && <h4 className="numeric text-xs font-medium text-muted">Execution {outcome.repeat + 1}</h4>}
      {outcome.output === null ? (
        <p className="text-sm text-bad">
          {outcome.error_type ? `${outcome.error_type}: ${outcome.error_message ?? ""}` : `No output${outcome.missing_reason ? `: ${outcome.missing_reason}` : ""}`}
        </p>
      ) : (
        <Output text={outcome.output} before={before} />
      )}
      <ul className="flex flex-col gap-1 text-xs">
        {dimensionsOf(outcome).map(({ name, score, why }) => (
          <li key={name} className="flex gap-2">
            <span className="w-24 shrink-0 truncate font-medium" title={name}>
              {name}
            </span>
            <span className="numeric w-12 shrink-0 text-right">{score === null ? <span className="text-warn">missing</span> : formatPercent(score)}</span>
            <span className="min-w-0 break-words text-muted">{why}</span>
          </li>
        ))}
      </ul>
      <p className="numeric text-xs text-muted">
        {formatDuration(outcome.latency_ms)} · {formatCost(outcome.cost_usd)} · {formatCount(outcome.input_tokens)} → {formatCount(outcome.output_tokens)} tokens
        {outcome.total !== null && (outcome.passed ? " · passed" : " · not passed")}
      </p>
    </div>
  );
}

function Output({ text, before }: { text: string; before: string | null }) {
  const parts = before === null || before === text ? null : wordDiff(before, text);
  if (!parts) return <TextBody text={text} maxHeight={360} />;
  return (
    <p className="text-sm break-words whitespace-pre-wrap">
      {parts.map((part, index) =>
        part.kind === "same" ? (
          <span key={index}>{part.text}</span>
        ) : part.kind === "removed" ? (
          <del key={index} className="rounded-xs bg-bad-soft text-bad">
            {part.text}
          </del>
        ) : (
          <ins key={index} className="rounded-xs bg-good-soft text-good underline decoration-1">
            {part.text}
          </ins>
        ),
      )}
    </p>
  );
}
