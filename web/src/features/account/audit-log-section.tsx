import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { api, authorisedFetch, type Schemas } from "@/api/client";
import { download } from "@/components/download";
import { DataGrid } from "@/components/data-grid";
import { EmptyState } from "@/components/empty-state";
import { JsonView } from "@/components/json-view";
import { KeyValue } from "@/components/key-value";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SearchInput } from "@/components/ui/search-input";
import { Sheet } from "@/components/ui/sheet";
import { useIsOwner } from "@/features/account/use-owner";

type Entry = Schemas["AuditEntryOut"];

const LIST = "/api/v1/account/audit-log";
const PAGE = 100;
const route = getRouteApi("/account-shell/account/$section");
const columns = [
  { id: "time", header: "When", width: 130, cell: (entry: Entry) => <Time at={entry.created_at} /> },
  { id: "action", header: "Action", width: 220, cell: (entry: Entry) => <span className="font-medium">{entry.action}</span> },
  { id: "actor", header: "By", width: 220, cell: (entry: Entry) => entry.actor },
  { id: "subject", header: "What", width: 320, cell: (entry: Entry) => <span className="font-mono text-xs">{entry.subject}</span> },
  { id: "address", header: "From", width: 120, cell: (entry: Entry) => <span className="font-mono text-xs">{entry.address ?? "–"}</span> },
];

/** Who did what: append-only, each entry chained to the one before by its hash. */
export function AuditLogSection() {
  const owns = useIsOwner();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [open, setOpen] = useState<Entry | null>(null);
  const entries = api.useInfiniteQuery(
    "get",
    LIST,
    { params: { query: { ...search, limit: PAGE } } },
    {
      enabled: owns === true,
      pageParamName: "cursor",
      initialPageParam: null,
      getNextPageParam: (page: Schemas["AuditEntryList"]) => page.pagination.next_cursor ?? undefined,
    },
  );
  const exporting = useMutation({
    mutationFn: async () => {
      const answer = await authorisedFetch(new Request(new URL("/api/v1/account/audit-log/export", location.origin)));
      download(await answer.blob(), "audit-log.jsonl");
    },
  });
  if (owns === false) {
    return (
      <Panel title="Audit log">
        <p className="text-muted">Owners read the audit log.</p>
      </Panel>
    );
  }
  const rows = entries.data?.pages.flatMap((page) => page.results) ?? [];
  const filter = (name: "action" | "actor" | "subject", label: string) => (
    <SearchInput
      label={label}
      placeholder={label}
      value={search[name] ?? ""}
      onValueChange={(value) => void navigate({ search: (now) => ({ ...now, [name]: value || undefined }), replace: true })}
    />
  );
  return (
    <Panel
      title="Audit log"
      description="Append-only; each entry carries the hash of the one before it."
      padded={false}
      actions={
        <Button pending={exporting.isPending} onClick={() => exporting.mutate()}>
          Export
        </Button>
      }
    >
      <div className="grid gap-2 border-b p-3 sm:grid-cols-3">
        {filter("action", "Action, such as key.created")}
        {filter("actor", "Who, such as user:…")}
        {filter("subject", "What, such as agent:…")}
      </div>
      {(entries.error ?? exporting.error) !== null && (
        <div className="p-3">
          <ProblemNotice error={entries.error ?? exporting.error} retry={() => void entries.refetch()} />
        </div>
      )}
      <div className="flex h-[60vh] flex-col">
        <DataGrid<Entry>
          label="Audit log"
          rows={rows}
          columns={columns}
          rowKey={(entry) => entry.id}
          loading={entries.isFetching}
          hasMore={entries.hasNextPage}
          onNearEnd={() => void entries.fetchNextPage()}
          onOpen={setOpen}
          empty={<EmptyState title="No entry fits" />}
        />
      </div>
      <Sheet open={open !== null} onOpenChange={(shown) => !shown && setOpen(null)} title={open?.action ?? ""}>
        {open !== null && (
          <div className="flex flex-col gap-4">
            <KeyValue
              items={[
                { label: "When", value: <Time at={open.created_at} relative={false} /> },
                { label: "By", value: open.actor },
                { label: "What", value: open.subject },
                { label: "From", value: open.address ?? "–" },
                { label: "Request", value: open.request_id ?? "–" },
                { label: "Number", value: open.seq ?? "not sealed yet" },
                { label: "Hash", value: <code className="font-mono text-xs break-all">{open.hash ?? "not sealed yet"}</code> },
              ]}
            />
            <JsonView value={open.detail} />
          </div>
        )}
      </Sheet>
    </Panel>
  );
}
