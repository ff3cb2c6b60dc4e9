import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, useSyncExternalStore } from "react";
import { profileQuery, useProfile } from "@/api/access";
import { http } from "@/api/client";
import { session } from "@/api/session";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { AuthFrame } from "@/features/auth/frame";
import { forgetInvite, takeInvite } from "@/features/auth/invite";

const HERE = "/invites/accept";

/** The link of an invite's mail: for people who are signed in, who have an account, and who have none. */
export function AcceptInvitePage() {
  const [token] = useState(takeInvite);
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  if (token === null) {
    return (
      <AuthFrame title="This link is not complete">
        <p>Open the link of the mail once more, or copy all of it, with what stands behind the #.</p>
      </AuthFrame>
    );
  }
  return <AuthFrame title="You are invited">{state === "signed-in" ? <Join token={token} /> : <WhoAreYou />}</AuthFrame>;
}

function Join({ token }: { token: string }) {
  const profile = useProfile();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const accept = useMutation({
    mutationFn: () => http.POST("/api/v1/account/invites/accept", { body: { token } }),
    onSuccess: async () => {
      forgetInvite();
      await queries.invalidateQueries(profileQuery);
      await navigate({ to: "/workspaces" });
    },
  });
  return (
    <div className="flex flex-col gap-4">
      <p>
        Join as <strong className="break-all">{profile?.email ?? "…"}</strong>.
      </p>
      {accept.error !== null && <ProblemNotice error={accept.error} />}
      <Button variant="primary" pending={accept.isPending} onClick={() => accept.mutate()}>
        Accept the invite
      </Button>
    </div>
  );
}

function WhoAreYou() {
  return (
    <div className="flex flex-col gap-3">
      <p>The invite is for the address that the mail went to.</p>
      <Button asChild variant="primary">
        <Link to="/sign-in" search={{ next: HERE }}>
          I have an account
        </Link>
      </Button>
      <Button asChild>
        <Link to="/register">Create an account and join</Link>
      </Button>
    </div>
  );
}
