import { useQuery } from "@tanstack/react-query";
import { Keyboard, Scale } from "lucide-react";
import { lacking } from "@/api/access";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount, formatNumber, formatPercent } from "@/components/format";
import { IntervalBar } from "@/components/interval-bar";
import { IntervalValue } from "@/components/interval-value";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import { SkeletonRows } from "@/components/ui/skeleton";
import { kappaReading } from "./calibration-keys";
import { CalibrationQueue } from "./calibration-queue";
import { calibrationQuery, type RubricPath } from "./queries";
import type { RubricDetailSearch } from "./search";

type JudgeCalibration = Schemas["JudgeCalibrationOut"];

interface CalibrationTabProps {
  path: RubricPath;
  rubric: Schemas["RubricOut"];
  search: RubricDetailSearch;
  onChange: (part: Partial<RubricDetailSearch>) => void;
  mayWrite: boolean;
}

export function CalibrationTab({ path, rubric, search, onChange, mayWrite }: CalibrationTabProps) {
  // The server refuses to speak of the calibration of a rubric that has no judge.
  const judged = rubric.dimensions.some(({ scorer }) => scorer === "judge");
  const found = useQuery({ ...calibrationQuery(path), enabled: judged });
  if (!judged) {
    return (
      <Panel>
        <EmptyState icon={<Scale />} title="No judge to calibrate">
          {`No dimension of version ${rubric.version} asks a language model to judge. Scorers that compare texts need no calibration.`}
        </EmptyState>
      </Panel>
    );
  }
  if (found.error) return <ProblemNotice error={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <SkeletonRows rows={4} label="Loading the calibration" />;
  const { judges } = found.data;
  const dimension = judges.find((judge) => judge.dimension === search.dimension)?.dimension ?? judges[0]?.dimension;
  if (search.open === "label" && dimension !== undefined) {
    const next = judges[(judges.findIndex((judge) => judge.dimension === dimension) + 1) % judges.length]?.dimension;
    return (
      <CalibrationQueue
        key={dimension}
        path={path}
        dimension={dimension}
        mayWrite={mayWrite}
        onSkip={next === undefined || next === dimension ? undefined : () => onChange({ dimension: next })}
        onDone={() => onChange({ open: undefined })}
      />
    );
  }
  return judges.map((judge) => (
    <Judge
      key={judge.dimension}
      judge={judge}
      actions={
        <Button
          size="sm"
          variant="primary"
          disabled={!mayWrite}
          title={mayWrite ? undefined : lacking("write:workspace")}
          onClick={() => onChange({ open: "label", dimension: judge.dimension })}
        >
          <Keyboard aria-hidden />
          Label answers
        </Button>
      }
    />
  ));
}

function Judge({ judge, actions }: { judge: JudgeCalibration; actions: React.ReactNode }) {
  const { agreement, labels, further_labels: further } = judge;
  const reading = kappaReading(agreement.kappa_low);
  const bounds = agreement.kappa !== null && agreement.kappa_low !== null && agreement.kappa_high !== null;
  return (
    <Panel
      title={
        <span className="inline-flex items-center gap-2">
          {judge.dimension}
          <Badge tone={judge.calibrated ? "good" : "warn"}>{judge.calibrated ? "Calibrated" : "Not calibrated"}</Badge>
        </span>
      }
      description={`${judge.model}, version ${judge.rubric_version}. Another prompt, model or scale starts at none.`}
      actions={actions}
    >
      <div className="grid gap-6 lg:grid-cols-2">
        <div className="flex flex-col gap-3">
          <div>
            <p className="numeric mb-1 text-sm">
              {formatCount(labels)} {labels === 1 ? "label" : "labels"}
              {further > 0 && <span className="text-muted">, {formatCount(further)} more until it is called calibrated</span>}
            </p>
            <Progress value={labels / Math.max(1, labels + further)} label="Labels until the judge is calibrated" tone={judge.calibrated ? "good" : "accent"} />
          </div>
          <div className="flex flex-col gap-1">
            <p className="text-sm">
              <span className="text-muted" title="Cohen's κ: 0 is chance, 1 perfect">
                κ{" "}
              </span>
              <IntervalValue value={agreement.kappa} low={agreement.kappa_low} high={agreement.kappa_high} n={labels} as="number" level={0.95} />
            </p>
            {bounds && (
              <IntervalBar
                low={agreement.kappa_low!}
                high={agreement.kappa_high!}
                value={agreement.kappa!}
                zero={0}
                domain={[-0.2, 1]}
                tone={reading?.tone === "good" ? "good" : reading?.tone === "bad" ? "bad" : "warn"}
                label={`κ ${formatNumber(agreement.kappa)} from ${formatNumber(agreement.kappa_low)} to ${formatNumber(agreement.kappa_high)}, on a scale from −0.2 to 1`}
              />
            )}
            <p className="text-xs text-muted">
              {reading ? `Read by its lower bound: ${reading.words} (Landis and Koch 1977). ` : "Not known yet: κ needs labels that vary. "}
              Because the queue is balanced, it speaks for the whole scale and not for the mix of your traffic.
            </p>
          </div>
          <p className="text-sm">
            <span className="text-muted">κ, near misses count in part </span>
            <IntervalValue value={agreement.weighted_kappa} low={agreement.weighted_kappa_low} high={agreement.weighted_kappa_high} as="number" level={0.95} />
          </p>
          <p className="numeric text-sm">
            <span className="text-muted">Same label </span>
            {formatPercent(agreement.agreement)}
            <span className="text-muted"> · judge less people </span>
            <span title="Above 0 the judge is too kind">{formatNumber(judge.mean_difference, { signed: true })}</span>
          </p>
        </div>
        {labels > 0 && <Confusion judge={judge} />}
      </div>
    </Panel>
  );
}

/** What people said against what the judge said; the diagonal is agreement. */
function Confusion({ judge }: { judge: JudgeCalibration }) {
  const most = Math.max(1, ...judge.table.flat());
  const name = (point: number | undefined) => formatNumber(point, { digits: 2 });
  return (
    <div className="min-w-0 overflow-x-auto" tabIndex={0} role="group" aria-label="People beside the judge">
      <table className="numeric border-separate border-spacing-0.5 text-xs">
        <caption className="mb-1 text-left text-xs text-muted">Rows: people. Columns: the judge. Worth of each point, 0 to 1.</caption>
        <thead>
          <tr>
            <td />
            {judge.points.map((point) => (
              <th key={point} scope="col" className="px-2 font-medium text-muted">
                {name(point)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {judge.table.map((row, index) => (
            <tr key={judge.points[index]}>
              <th scope="row" className="pr-2 text-right font-medium text-muted">
                {name(judge.points[index])}
              </th>
              {row.map((count, column) => (
                <td
                  key={judge.points[column]}
                  className={`h-8 min-w-10 rounded-sm border text-center ${index === column ? "border-line-strong" : "border-line"}`}
                  style={{ background: `color-mix(in srgb, var(--${index === column ? "good" : "bad"}-soft) ${Math.round((count / most) * 100)}%, transparent)` }}
                >
                  {count}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
