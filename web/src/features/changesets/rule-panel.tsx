import { CircleCheck, CircleHelp, CircleX } from "lucide-react";
import { cn } from "@/components/cn";
import { formatCount, formatPercent, formatPoints } from "@/components/format";
import { Panel } from "@/components/ui/panel";
import { summariseGuards } from "./guard-wording";
import type { Look } from "./evidence-types";
import { alphaText, levelText, pText, pointsSize, sentenceCase } from "./wording";

type Met = "yes" | "no" | "open";

interface Condition {
  id: string;
  needs: string;
  is: string;
  met: Met;
}

/** The least pairs and the most missing results that the rule allows (docs/statistics.md). */
const LEAST_PAIRS = 30;
const MOST_MISSING = 0.05;

/** The rule that was fixed before anything was measured, line by line against what was seen. */
export function RulePanel({ look }: { look: Look }) {
  const conditions = conditionsOf(look);
  return (
    <Panel
      title="The rule, fixed before the look"
      description="Validated needs every line; a confirmed harm, or an effect wholly below the minimum, refutes."
      padded={false}
    >
      <table aria-label="The rule and what was seen" className="w-full border-collapse text-sm">
        <thead className="sr-only">
          <tr>
            <th scope="col">Met</th>
            <th scope="col">Condition</th>
            <th scope="col">Seen</th>
          </tr>
        </thead>
        <tbody>
          {conditions.map((condition) => (
            <tr key={condition.id} className="border-b border-line last:border-b-0 max-sm:flex max-sm:flex-wrap">
              <td className="w-8 py-2 pl-3 align-top">
                <Mark met={condition.met} />
              </td>
              <th scope="row" className="py-2 pr-3 text-left align-top font-normal max-sm:flex-1 sm:w-1/2">
                {condition.needs}
              </th>
              <td className="numeric py-2 pr-3 align-top text-muted max-sm:w-full max-sm:pt-0 max-sm:pl-11">{condition.is}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

const MARKS = {
  yes: { Icon: CircleCheck, tone: "text-good", name: "Met" },
  no: { Icon: CircleX, tone: "text-bad", name: "Not met" },
  open: { Icon: CircleHelp, tone: "text-warn", name: "Not shown" },
};

function Mark({ met }: { met: Met }) {
  const { Icon, tone, name } = MARKS[met];
  return (
    <span title={name}>
      <Icon aria-hidden className={cn("mt-0.5 size-4", tone)} />
      <span className="sr-only">{name}</span>
    </span>
  );
}

function conditionsOf(look: Look): Condition[] {
  const conditions: Condition[] = [];
  const { effect, missing, n } = look;
  if (missing) {
    const worst = look.items === 0 ? 1 : Math.max(missing.champion, missing.challenger) / look.items;
    conditions.push({
      id: "data",
      needs: `At least ${LEAST_PAIRS} complete pairs, at most ${formatPercent(MOST_MISSING, { digits: 0 })} of an arm missing`,
      is: `${formatCount(n)} of ${formatCount(look.items)} pairs; missing: champion ${formatCount(missing.champion)}, candidate ${formatCount(missing.challenger)}`,
      met: (n ?? 0) >= LEAST_PAIRS && worst <= MOST_MISSING ? "yes" : "no",
    });
  }
  if (effect) {
    const known = effect.low !== null && effect.high !== null;
    conditions.push({
      id: "effect",
      needs: `Lower bound of the ${levelText(effect.confidence)} interval above the minimum effect of ${pointsSize(look.minimum_effect)}`,
      is: known ? `at least ${formatPoints(effect.low)}, at most ${formatPoints(effect.high)}` : "no bounds: one group only",
      met: !known || effect.low === null || effect.high === null ? "open" : boundMet(effect.low, effect.high, look.minimum_effect),
    });
  }
  if (look.p_value !== null) {
    conditions.push({
      id: "chance",
      needs: `Exact test of no difference: p at most ${alphaText(look.alpha)}, the α of this look`,
      is: pText(look.p_value),
      met: look.p_value <= look.alpha ? "yes" : "open",
    });
  }
  conditions.push({
    id: "guards",
    needs: look.guards.length === 0 ? "Guards: none is set" : "Every guard shown to hold",
    is: sentenceCase(summariseGuards(look.guards)),
    met: guardsMet(look),
  });
  if (look.execution === "replica") {
    conditions.push({ id: "agent", needs: "The agent itself was executed", is: "a replica was; its verdict is never more than inconclusive", met: "open" });
  }
  return conditions;
}

function boundMet(low: number, high: number, minimum: number): Met {
  if (low > minimum) return "yes";
  return high < minimum ? "no" : "open";
}

function guardsMet({ guards }: Look): Met {
  if (guards.some((guard) => guard.status === "harmed")) return "no";
  return guards.every((guard) => guard.status === "held") ? "yes" : "open";
}
