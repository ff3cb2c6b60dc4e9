import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { toast } from "sonner";
import { type Profile, profileQuery, useProfile } from "@/api/access";
import { http } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";

export function ProfileSection() {
  const profile = useProfile();
  return profile === undefined ? null : <Form key={profile.user_id} profile={profile} />;
}

function Form({ profile }: { profile: Profile }) {
  const queries = useQueryClient();
  const [name, setName] = useState(profile.name ?? "");
  const save = useMutation({
    mutationFn: () => http.PATCH("/api/v1/auth/me", { body: { name: name || null } }),
    onSuccess: async () => {
      toast.success("Saved");
      await queries.invalidateQueries(profileQuery);
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate();
  }

  return (
    <Panel title="You">
      <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
        <p className="flex items-center gap-2">
          {profile.email}
          <Badge tone={profile.email_verified ? "good" : "neutral"}>{profile.email_verified ? "verified" : "not verified"}</Badge>
        </p>
        <Field label="Name" hint="How you appear to the others of your account.">
          {(control) => <Input {...control} autoComplete="name" maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        {save.error !== null && <ProblemNotice error={save.error} />}
        <div>
          <Button variant="primary" type="submit" pending={save.isPending} disabled={name === (profile.name ?? "")}>
            Save
          </Button>
        </div>
      </form>
    </Panel>
  );
}
