import type { Schemas } from "@/api/client";
import type { GridColumn } from "@/components/data-grid-column";
import { formatCount, formatDuration, formatNumber } from "@/components/format";
import { Time } from "@/components/time";
import { Cost, Dash } from "@/features/traces/trace-columns";
import type { Grouping } from "@/features/traces/search";

type Session = Schemas["SessionList"]["results"][number];
type User = Schemas["UserList"]["results"][number];

/** A session or a user, and what their traces came to. `others`: users of a session, sessions of a user. */
export type Group = Omit<Session, "session_id" | "users"> & { id: string; others: number };

export function ofSession({ session_id, users, ...rest }: Session): Group {
  return { ...rest, id: session_id, others: users };
}

export function ofUser({ user_id, sessions, ...rest }: User): Group {
  return { ...rest, id: user_id, others: sessions };
}

export function groupColumns(by: Grouping): GridColumn<Group>[] {
  return [
    {
      id: "id",
      header: by === "sessions" ? "Session" : "User",
      minWidth: 180,
      hideable: false,
      cell: (group) => <span title={group.id}>{group.id}</span>,
    },
    { id: "last_seen_at", header: "Last seen", width: 116, sortable: true, cell: (group) => <Time at={group.last_seen_at} className="text-muted" /> },
    { id: "first_seen_at", header: "First seen", width: 116, cell: (group) => <Time at={group.first_seen_at} className="text-muted" /> },
    { id: "traces", header: "Traces", width: 80, align: "right", sortable: true, cell: (group) => formatCount(group.traces) },
    {
      id: "failed",
      header: "Failed",
      title: "Traces with a failed span",
      width: 80,
      align: "right",
      cell: (group) => <span className={group.failed_traces > 0 ? "text-bad" : "text-muted"}>{formatCount(group.failed_traces)}</span>,
    },
    { id: "others", header: by === "sessions" ? "Users" : "Sessions", width: 84, align: "right", cell: (group) => formatCount(group.others) },
    { id: "spans", header: "Spans", width: 76, align: "right", cell: (group) => formatCount(group.spans) },
    {
      id: "latency",
      header: "Mean latency",
      width: 104,
      align: "right",
      cell: (group) => <span title={`The mean of ${formatCount(group.traces)} traces`}>{formatDuration(group.mean_duration_ms)}</span>,
    },
    {
      id: "tokens",
      header: "Tokens",
      width: 84,
      align: "right",
      cell: (group) => (
        <span title={`${formatCount(group.input_tokens)} input, ${formatCount(group.output_tokens)} output`}>{formatCount(group.input_tokens + group.output_tokens, { compact: true })}</span>
      ),
    },
    { id: "cost_usd", header: "Cost", width: 104, align: "right", sortable: true, cell: (group) => <Cost trace={group} /> },
    {
      id: "scores",
      header: "Mean scores",
      minWidth: 140,
      cell: (group) => {
        const scores = Object.entries(group.scores);
        if (scores.length === 0) return <Dash title="Not scored" />;
        const said = scores.map(([name, score]) => `${name} ${formatNumber(score, { digits: 3 })}`).join(", ");
        return <span title={said}>{said}</span>;
      },
    },
  ];
}
