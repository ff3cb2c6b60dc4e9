import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CheckCheck } from "lucide-react";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { lacking } from "@/api/access";
import { api, http, idempotencyKey, type Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount } from "@/components/format";
import { JsonView } from "@/components/json-view";
import { ProblemNotice } from "@/components/problem-notice";
import { TextBody } from "@/components/text-body";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Kbd } from "@/components/ui/kbd";
import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useHotkey } from "@/components/use-hotkey";
import { pointsOf } from "./calibration-keys";
import { refreshEvaluations, type RubricPath } from "./queries";

interface CalibrationQueueProps {
  path: RubricPath;
  dimension: string;
  mayWrite: boolean;
  /** Goes on with another judge's answers; undefined where there is no other. */
  onSkip: (() => void) | undefined;
  onDone: () => void;
}

/** One judged answer after the other, without what the judge said of it. */
export function CalibrationQueue({ path, dimension, mayWrite, onSkip, onDone }: CalibrationQueueProps) {
  const queries = useQueryClient();
  const next = useQuery(
    api.queryOptions(
      "get",
      "/api/v1/workspaces/{workspace_id}/evaluations/rubrics/{rubric_id}/calibration/next",
      { params: { path, query: { dimension } } },
      { staleTime: Number.POSITIVE_INFINITY, gcTime: 0 },
    ),
  );
  const item = next.data;
  const label = useMutation({
    mutationFn: ({ itemId, said, version, key }: { itemId: string; said: string | number; version: number; key: string }) =>
      http.POST("/api/v1/workspaces/{workspace_id}/evaluations/rubrics/{rubric_id}/calibration", {
        params: { path },
        headers: { "Idempotency-Key": key },
        body: { item_id: itemId, label: said, version },
      }),
    onSuccess: async () => {
      await next.refetch();
    },
  });
  const busy = label.isPending || next.isFetching;
  const say = (said: string | number) => {
    if (!mayWrite || busy || !item?.item_id) return;
    label.mutate({ itemId: item.item_id, said, version: item.rubric_version, key: idempotencyKey() });
  };
  const done = () => {
    void refreshEvaluations(queries);
    onDone();
  };
  useHotkey("s", () => onSkip?.(), { when: onSkip !== undefined });
  useHotkey("Escape", done);

  if (next.error) return <ProblemNotice error={next.error} retry={() => void next.refetch()} />;
  if (!item) return <SkeletonRows rows={6} label="Loading the next answer" />;
  const all = item.labelled + item.waiting;
  return (
    <Panel
      title={`Label ${dimension}`}
      description="Blind: what the judge said is not shown, and answers of holdouts never come up."
      actions={
        <>
          <Button size="sm" disabled={onSkip === undefined} title={onSkip ? "On to the next judge's answers" : "This is the only judge; its answers come in a fixed order"} onClick={onSkip}>
            Skip <Kbd>S</Kbd>
          </Button>
          <Button size="sm" onClick={done}>
            Done <Kbd>Esc</Kbd>
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <div className="flex items-center gap-3">
          <Progress value={all === 0 ? 1 : item.labelled / all} label="Answers that are labelled" className="max-w-xs" />
          <span role="status" className="numeric text-xs text-muted">
            {formatCount(item.labelled)} labelled, {formatCount(item.waiting)} waiting
          </span>
        </div>
        {label.error !== null && <ProblemNotice error={label.error} />}
        {item.item_id === null ? (
          <EmptyState icon={<CheckCheck />} title="No judged answer waits">
            Answers come up once an experiment, a scan or an online evaluation has judged some with this version of the rubric.
          </EmptyState>
        ) : (
          <>
            <Blind item={item} />
            <Points item={item} onSay={say} disabled={!mayWrite || busy} why={mayWrite ? undefined : lacking("write:workspace")} />
          </>
        )}
      </div>
    </Panel>
  );
}

function Blind({ item }: { item: Schemas["BlindItemOut"] }) {
  const answer = useRef<HTMLElement>(null);
  // Whoever labels by keyboard and screen reader begins at the answer, each time.
  useEffect(() => answer.current?.focus(), [item.item_id]);
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-3">
        <Part title="What the judge was told to look at">
          <TextBody text={item.instructions} maxHeight={160} />
        </Part>
        <Part title="Input">{value(item.input, "Input")}</Part>
        {item.expected !== null && <Part title="Expected">{value(item.expected, "Expected")}</Part>}
      </div>
      <section ref={answer} tabIndex={-1} aria-label="Answer to label" className="min-w-0 outline-none">
        <Part title="Answer">
          <TextBody text={item.output ?? ""} maxHeight={480} />
        </Part>
      </section>
    </div>
  );
}

function value(found: unknown, label: string): ReactNode {
  if (found === null) return <p className="text-sm text-muted">None.</p>;
  return typeof found === "string" ? <TextBody text={found} maxHeight={200} /> : <JsonView value={found} label={label} />;
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1">
      <h3 className="text-xs font-medium text-muted">{title}</h3>
      <div className="rounded-md border border-line bg-canvas p-2.5">{children}</div>
    </div>
  );
}

interface PointsProps {
  item: Schemas["BlindItemOut"];
  onSay: (label: string | number) => void;
  disabled: boolean;
  why: string | undefined;
}

function Points({ item, onSay, disabled, why }: PointsProps) {
  const points = pointsOf(item.scale);
  if (!points) return <AnyNumber item={item} onSay={onSay} disabled={disabled} />;
  return (
    <div role="group" aria-label="Label" className="flex flex-wrap gap-2">
      {points.map((point) => (
        <div key={point.text}>
          {point.key !== null && <Hotkey keyName={point.key} onPress={() => onSay(point.label)} />}
          <Button className="min-w-16" disabled={disabled} title={why} onClick={() => onSay(point.label)}>
            {point.text}
            {point.key !== null && <Kbd>{point.key}</Kbd>}
          </Button>
        </div>
      ))}
    </div>
  );
}

function Hotkey({ keyName, onPress }: { keyName: string; onPress: () => void }) {
  useHotkey(keyName, onPress);
  return null;
}

function AnyNumber({ item, onSay, disabled }: Omit<PointsProps, "why">) {
  const [text, setText] = useState("");
  const { minimum = 1, maximum = 5 } = item.scale.kind === "numeric" ? item.scale : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text !== "") onSay(Number(text));
    setText("");
  };
  return (
    <form onSubmit={submit} className="flex items-end gap-2">
      <Field label={`From ${minimum} to ${maximum}`} className="w-40">
        {(control) => <Input {...control} type="number" min={minimum} max={maximum} step="any" value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
      <Button type="submit" disabled={disabled || text === ""}>
        Label
      </Button>
    </form>
  );
}
