import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { api, http } from "@/api/client";
import { pluralise } from "@/components/format";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const LIST = "/api/v1/auth/sessions";

export function SessionsSection() {
  const queries = useQueryClient();
  const sessions = api.useQuery("get", LIST, { params: { query: { limit: 100 } } });
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", LIST] });
  const end = useMutation({
    mutationFn: (session_id: string) => http.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id } } }),
    onSuccess: refresh,
  });
  const endOthers = useMutation({
    mutationFn: async () => (await http.DELETE(LIST)).data!,
    onSuccess: async ({ ended_sessions }) => {
      toast.success(`${pluralise(ended_sessions, "session")} ended`);
      await refresh();
    },
  });
  const problem = sessions.error ?? end.error ?? endOthers.error;
  return (
    <Panel
      title="Where you are signed in"
      padded={false}
      actions={
        <Button pending={endOthers.isPending} disabled={(sessions.data?.results.length ?? 0) < 2} onClick={() => endOthers.mutate()}>
          Sign out everywhere else
        </Button>
      }
    >
      {problem !== null && (
        <div className="p-3">
          <ProblemNotice error={problem} retry={() => void sessions.refetch()} />
        </div>
      )}
      {sessions.isPending ? (
        <SkeletonRows rows={3} />
      ) : (
        <Table aria-label="Where you are signed in">
          <TableHead>
            <TableRow>
              <TableHeader>Browser or program</TableHeader>
              <TableHeader>Address</TableHeader>
              <TableHeader>Signed in</TableHeader>
              <TableHeader>Last seen</TableHeader>
              <TableHeader>
                <span className="sr-only">Actions</span>
              </TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {(sessions.data?.results ?? []).map((one) => (
              <TableRow key={one.id}>
                <TableCell className="max-w-80">
                  <span className="block truncate" title={one.user_agent ?? undefined}>
                    {one.user_agent ?? "Unknown"}
                  </span>
                  {one.current && <Badge tone="accent">this one</Badge>}
                </TableCell>
                <TableCell className="font-mono text-xs">{one.address ?? "–"}</TableCell>
                <TableCell>
                  <Time at={one.created_at} />
                </TableCell>
                <TableCell>
                  <Time at={one.last_seen_at} />
                </TableCell>
                <TableCell align="right">
                  {!one.current && (
                    <Button size="sm" variant="danger-ghost" pending={end.isPending && end.variables === one.id} onClick={() => end.mutate(one.id)}>
                      Sign out
                    </Button>
                  )}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </Panel>
  );
}
