import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { http } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { AuthFrame } from "@/features/auth/frame";

const route = getRouteApi("/reset-password");

/** Without a token it asks for the mail; the mail's link brings the token behind the `#`. */
export function ResetPasswordPage() {
  const [token] = useState(() => new URLSearchParams(location.hash.slice(1)).get("token"));
  useEffect(() => {
    // The token stays out of the history and of what is shared by copying the address.
    if (token !== null) history.replaceState(history.state, "", location.pathname);
  }, [token]);
  return token === null ? <AskForMail /> : <SetPassword token={token} />;
}

function BackToSignIn() {
  return (
    <Link to="/sign-in" className="text-accent underline">
      Back to signing in
    </Link>
  );
}

function AskForMail() {
  const [email, setEmail] = useState(route.useSearch().email ?? "");
  const ask = useMutation({ mutationFn: () => http.POST("/api/v1/auth/reset-password", { body: { email } }) });

  function submit(event: FormEvent) {
    event.preventDefault();
    ask.mutate();
  }

  return (
    <AuthFrame title="Set a new password" footer={<BackToSignIn />}>
      {ask.isSuccess ? (
        <p role="status">
          If <strong className="break-all">{email}</strong> has an account here, a link is on its way. It works once, for 15
          minutes.
        </p>
      ) : (
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field label="E-mail">
            {(control) => (
              <Input {...control} type="email" autoFocus autoComplete="username" value={email} onChange={(event) => setEmail(event.target.value)} required />
            )}
          </Field>
          {ask.error !== null && <ProblemNotice error={ask.error} />}
          <Button type="submit" variant="primary" pending={ask.isPending}>
            Send the link
          </Button>
        </form>
      )}
    </AuthFrame>
  );
}

function SetPassword({ token }: { token: string }) {
  const [password, setPassword] = useState("");
  const set = useMutation({
    mutationFn: () => http.POST("/api/v1/auth/reset-password/confirm", { body: { token, password } }),
  });
  const problem = set.error;
  const about = problem instanceof ApiProblem ? problem.errors.find((error) => error.pointer === "/password")?.detail : undefined;

  function submit(event: FormEvent) {
    event.preventDefault();
    set.mutate();
  }

  return (
    <AuthFrame title="Set a new password" footer={<BackToSignIn />}>
      {set.isSuccess ? (
        <p role="status">Your password is set, and every session of yours has ended. Sign in with the new one.</p>
      ) : (
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field label="New password" error={about}>
            {(control) => (
              <Input
                {...control}
                type="password"
                autoFocus
                autoComplete="new-password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                required
              />
            )}
          </Field>
          {problem !== null && about === undefined && <ProblemNotice error={problem} />}
          <Button type="submit" variant="primary" pending={set.isPending}>
            Set the password
          </Button>
        </form>
      )}
    </AuthFrame>
  );
}
