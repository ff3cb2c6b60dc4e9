import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { http } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { useEntering } from "@/features/auth/entering";
import { AuthFrame } from "@/features/auth/frame";
import { forgetInvite, keptInvite } from "@/features/auth/invite";

const route = getRouteApi("/register");

export function RegisterPage() {
  const { next, email: known } = route.useSearch();
  const enter = useEntering();
  const [invite] = useState(keptInvite);
  const [email, setEmail] = useState(known ?? "");
  const [password, setPassword] = useState("");
  const [name, setName] = useState("");
  const register = useMutation({
    mutationFn: async () => {
      const answer = await http.POST("/api/v1/auth/register", {
        body: { email, password, ...(invite === null ? { tenant_name: name } : { invite_token: invite }) },
      });
      return answer.data!;
    },
    onSuccess: (tokens) => {
      forgetInvite();
      enter(tokens, next);
    },
  });
  const problem = register.error;
  const errors = problem instanceof ApiProblem ? problem.errors : [];
  const about = (pointer: string) => errors.find((error) => error.pointer === pointer)?.detail;
  const explained = errors.length > 0 && errors.every((error) => ["/email", "/password", "/tenant_name"].includes(error.pointer));

  function submit(event: FormEvent) {
    event.preventDefault();
    register.mutate();
  }

  return (
    <AuthFrame
      title={invite === null ? "Create an account" : "Join with a new account"}
      footer={
        <>
          You have one?{" "}
          <Link to="/sign-in" search={{ next, email: email || undefined }} className="text-accent underline">
            Sign in
          </Link>
        </>
      }
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {invite === null && (
          <Field label="Organisation" hint="Your account's name; it comes with a first workspace." error={about("/tenant_name")}>
            {(control) => (
              <Input {...control} autoFocus autoComplete="organization" value={name} onChange={(event) => setName(event.target.value)} required />
            )}
          </Field>
        )}
        <Field label="E-mail" error={about("/email")}>
          {(control) => (
            <Input {...control} type="email" autoComplete="username" value={email} onChange={(event) => setEmail(event.target.value)} required />
          )}
        </Field>
        <Field label="Password" hint="Long beats clever: four words are better than one with symbols." error={about("/password")}>
          {(control) => (
            <Input
              {...control}
              type="password"
              autoComplete="new-password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
              required
            />
          )}
        </Field>
        {problem !== null && !explained && <ProblemNotice error={problem} />}
        <Button type="submit" variant="primary" pending={register.isPending}>
          Create the account
        </Button>
      </form>
    </AuthFrame>
  );
}
