import { Plus, Trash2 } from "lucide-react";
import type { Schemas } from "@/api/client";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";

type Rule = Schemas["MaskingRule"];

const MOST = 50;

export function MaskingRules({ rules, onChange }: { rules: readonly Rule[]; onChange: (rules: Rule[]) => void }) {
  const set = (at: number, next: Partial<Rule>) => onChange(rules.map((rule, index) => (index === at ? { ...rule, ...next } : rule)));
  return (
    <div role="group" aria-labelledby="rules">
      <h3 id="rules" className="text-xs font-medium">
        Rules of your own
      </h3>
      <p className="mb-1 text-xs text-muted">Patterns in RE2 syntax. A match becomes [name], or [replacement] where one is given; of groups only the last that matched.</p>
      <ul className="flex flex-col gap-2">
        {rules.map((rule, at) => (
          <li key={at} className="flex flex-wrap items-center gap-2 sm:flex-nowrap">
            <Input className="sm:w-36" aria-label={`Name of rule ${at + 1}`} placeholder="customer" value={rule.name} onChange={(event) => set(at, { name: event.target.value })} />
            <Input className="font-mono text-xs sm:flex-1" aria-label={`Pattern of rule ${at + 1}`} placeholder="\bC-[0-9]{6}\b" spellCheck={false} value={rule.pattern} onChange={(event) => set(at, { pattern: event.target.value })} />
            <Input
              className="sm:w-36"
              aria-label={`Replacement of rule ${at + 1}`}
              placeholder={rule.name || "replacement"}
              value={rule.replacement ?? ""}
              onChange={(event) => set(at, { replacement: event.target.value || null })}
            />
            <Button variant="ghost" size="icon" aria-label={`Remove rule ${at + 1}`} onClick={() => onChange(rules.filter((_, index) => index !== at))}>
              <Trash2 aria-hidden />
            </Button>
          </li>
        ))}
      </ul>
      <Button
        size="sm"
        className="mt-2"
        disabled={rules.length >= MOST}
        title={rules.length >= MOST ? `At most ${MOST} rules` : undefined}
        onClick={() => onChange([...rules, { name: "", pattern: "", replacement: null }])}
      >
        <Plus aria-hidden />
        Add a rule
      </Button>
    </div>
  );
}
