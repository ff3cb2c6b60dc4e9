import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { api, http } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { SecondFactor } from "@/features/account/second-factor";

export function SecuritySection() {
  return (
    <>
      <Password />
      <SecondFactor />
      <Identities />
    </>
  );
}

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: async () =>
      (await http.POST("/api/v1/auth/change-password", { body: { current_password: current, new_password: next } })).data!,
    onSuccess: ({ ended_sessions }) => {
      setCurrent("");
      setNext("");
      toast.success(ended_sessions > 0 ? `Changed; ${ended_sessions} other sessions have ended` : "Changed");
    },
  });
  const errors = change.error instanceof ApiProblem ? change.error.errors : [];
  const about = (pointer: string) => errors.find((error) => error.pointer === pointer)?.detail;

  function submit(event: FormEvent) {
    event.preventDefault();
    change.mutate();
  }

  return (
    <Panel title="Password" description="Your other sessions end when it changes.">
      <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
        <Field label="Current password" error={about("/current_password")}>
          {(control) => (
            <Input {...control} type="password" required autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.target.value)} />
          )}
        </Field>
        <Field label="New password" error={about("/new_password")}>
          {(control) => (
            <Input {...control} type="password" required autoComplete="new-password" value={next} onChange={(event) => setNext(event.target.value)} />
          )}
        </Field>
        {change.error !== null && errors.length === 0 && <ProblemNotice error={change.error} />}
        <div>
          <Button variant="primary" type="submit" pending={change.isPending}>
            Change the password
          </Button>
        </div>
      </form>
    </Panel>
  );
}

function Identities() {
  const queries = useQueryClient();
  const identities = api.useQuery("get", "/api/v1/auth/identities", { params: { query: { limit: 100 } } });
  const remove = useMutation({
    mutationFn: (identity_id: string) => http.DELETE("/api/v1/auth/identities/{identity_id}", { params: { path: { identity_id } } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", "/api/v1/auth/identities"] }),
  });
  const list = identities.data?.results ?? [];
  if (list.length === 0) return null;
  return (
    <Panel title="Sign in with">
      {remove.error !== null && <ProblemNotice error={remove.error} />}
      <ul className="flex flex-col gap-2">
        {list.map((one) => (
          <li key={one.id} className="flex items-center gap-3">
            <span className="font-medium capitalize">{one.provider}</span>
            <span className="min-w-0 flex-1 truncate text-muted">{one.email}</span>
            <span className="text-muted">
              last used <Time at={one.last_used_at} />
            </span>
            <Button size="sm" variant="danger-ghost" pending={remove.isPending && remove.variables === one.id} onClick={() => remove.mutate(one.id)}>
              Unlink
            </Button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
