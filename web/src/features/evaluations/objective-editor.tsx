import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { formatPercent } from "@/components/format";
import { Button } from "@/components/ui/button";
import { Combobox } from "@/components/ui/combobox";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Menu } from "@/components/ui/menu";
import { GuardRow, GUARD_LABEL } from "./guard-row";
import { type Guard, guardDraft, type ObjectiveDraft, type Source, SOURCES, type TermDraft } from "./objective-draft";
import { rubricListQuery } from "./queries";
import { normalised, sharesOf } from "./weights";
import { WeightSum } from "./weight-sum";

interface ObjectiveEditorProps {
  workspaceId: string;
  draft: ObjectiveDraft;
  onChange: (draft: ObjectiveDraft) => void;
  disabled: boolean;
}

const TERM: Record<Source, { label: string; means: string; scale?: string }> = {
  rubric: { label: "Rubric", means: "the rubric's total" },
  cost: { label: "Cost", means: "1 at nothing, one half at", scale: "US dollars" },
  latency: { label: "Latency", means: "1 at nothing, one half at", scale: "ms" },
  feedback: { label: "Feedback", means: "what people said, where they did" },
};

const KINDS: readonly Guard["kind"][] = ["latency", "cost", "error_rate", "dimension"];

export function ObjectiveEditor({ workspaceId, draft, onChange, disabled }: ObjectiveEditorProps) {
  const rubrics = useQuery(rubricListQuery(workspaceId));
  const rubric = rubrics.data?.results.find(({ id }) => id === draft.rubricId);
  const change = (part: Partial<ObjectiveDraft>) => onChange({ ...draft, ...part });
  const weights = draft.terms.map(({ weight }) => weight);
  const shares = sharesOf(weights);
  const free = SOURCES.filter((source) => !draft.terms.some((term) => term.source === source));
  return (
    <div className="flex flex-col gap-4">
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Name" required>
          {(control) => <Input {...control} maxLength={200} disabled={disabled} value={draft.name} onChange={(event) => change({ name: event.target.value })} />}
        </Field>
        <Field label="Description">
          {(control) => <Input {...control} disabled={disabled} value={draft.description} onChange={(event) => change({ description: event.target.value })} />}
        </Field>
        <Field label="Rubric" hint="Whose total counts, and whose dimensions guards may name">
          {(control) => (
            <Combobox
              {...control}
              disabled={disabled}
              value={draft.rubricId}
              onValueChange={(rubricId) => change({ rubricId })}
              options={[{ value: "", label: "Any" }, ...(rubrics.data?.results ?? []).map(({ id, name }) => ({ value: id, label: name }))]}
            />
          )}
        </Field>
        <Field label="Minimum effect, points" hint="A smaller gain is not worth having">
          {(control) => <Input {...control} type="number" min={0} step="any" disabled={disabled} value={draft.minimumEffect} onChange={(event) => change({ minimumEffect: event.target.value })} />}
        </Field>
      </div>
      <section aria-label="Terms" className="flex flex-col gap-2">
        <h3 className="text-xs font-medium">Terms</h3>
        <ol className="flex flex-col gap-2">
          {draft.terms.map((term, index) => (
            <TermRow
              key={term.source}
              term={term}
              share={shares[index] ?? null}
              disabled={disabled}
              onChange={(next) => change({ terms: draft.terms.map((one) => (one.source === next.source ? next : one)) })}
              onRemove={draft.terms.length > 1 ? () => change({ terms: draft.terms.filter((one) => one.source !== term.source) }) : undefined}
            />
          ))}
        </ol>
        <div className="flex flex-wrap items-center gap-3">
          <Menu
            label="Add a term"
            align="start"
            trigger={
              <Button size="sm" disabled={disabled || free.length === 0} title={free.length === 0 ? "All four are there" : undefined}>
                <Plus aria-hidden />
                Add a term
              </Button>
            }
            items={free.map((source) => ({ label: TERM[source].label, onSelect: () => change({ terms: [...draft.terms, { source, weight: "1", scale: "" }] }) }))}
          />
          <div className="min-w-64 flex-1">
            <WeightSum
              weights={weights}
              names={draft.terms.map(({ source }) => TERM[source].label)}
              disabled={disabled}
              onNormalise={() => {
                const even = normalised(weights);
                change({ terms: draft.terms.map((term, index) => ({ ...term, weight: even[index] ?? term.weight })) });
              }}
            />
          </div>
        </div>
      </section>
      <section aria-label="Guards" className="flex flex-col gap-2">
        <div>
          <h3 className="text-xs font-medium">Guards</h3>
          <p className="text-xs text-muted">What a gain must not cost. All must be shown to hold; confirmed harm to any of them refutes.</p>
        </div>
        {draft.guards.length > 0 && (
          <ol className="flex flex-col gap-2">
            {draft.guards.map((guard) => (
              <GuardRow
                key={guard.key}
                guard={guard}
                dimensions={rubric?.dimensions.map(({ name }) => name)}
                disabled={disabled}
                onChange={(next) => change({ guards: draft.guards.map((one) => (one.key === next.key ? next : one)) })}
                onRemove={() => change({ guards: draft.guards.filter(({ key }) => key !== guard.key) })}
              />
            ))}
          </ol>
        )}
        <div>
          <Menu
            label="Add a guard"
            align="start"
            trigger={
              <Button size="sm" disabled={disabled || draft.guards.length >= 20}>
                <Plus aria-hidden />
                Add a guard
              </Button>
            }
            items={KINDS.map((kind) => ({ label: GUARD_LABEL[kind], onSelect: () => change({ guards: [...draft.guards, guardDraft(kind)] }) }))}
          />
        </div>
      </section>
    </div>
  );
}

interface TermRowProps {
  term: TermDraft;
  share: number | null;
  disabled: boolean;
  onChange: (term: TermDraft) => void;
  /** Undefined for the last one. */
  onRemove: (() => void) | undefined;
}

function TermRow({ term, share, disabled, onChange, onRemove }: TermRowProps) {
  const { label, means, scale } = TERM[term.source];
  return (
    <li className="flex flex-wrap items-center gap-2 rounded-md border border-line p-2">
      <span className="w-20 pl-1 text-sm font-medium">{label}</span>
      <span className="min-w-40 flex-1 text-xs text-muted">{means}</span>
      {scale && (
        <span className="flex items-center gap-1.5">
          <Input aria-label={`${label} that is worth one half, ${scale}`} inputMode="decimal" className="w-24 text-right" disabled={disabled} value={term.scale} onChange={(event) => onChange({ ...term, scale: event.target.value })} />
          <span className="text-xs text-muted">{scale}</span>
        </span>
      )}
      <Input aria-label={`Weight of ${label}`} type="number" min={0} step="any" className="w-20 text-right" disabled={disabled} value={term.weight} onChange={(event) => onChange({ ...term, weight: event.target.value })} />
      <span className="numeric w-14 text-right text-xs text-muted" title="Share of the objective">
        {share === null ? "–" : formatPercent(share)}
      </span>
      <Button variant="ghost" size="icon" aria-label={`Remove ${label}`} disabled={disabled || !onRemove} title={onRemove ? "Remove" : "One term is the least"} onClick={onRemove}>
        <Trash2 aria-hidden />
      </Button>
    </li>
  );
}
