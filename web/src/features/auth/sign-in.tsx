import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, http } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { useEntering } from "@/features/auth/entering";
import { AuthFrame } from "@/features/auth/frame";

const route = getRouteApi("/sign-in");

export function SignInPage() {
  const { next, email: known, ended } = route.useSearch();
  const enter = useEntering();
  const [email, setEmail] = useState(known ?? "");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const signIn = useMutation({
    mutationFn: async () => {
      const answer = await http.POST("/api/v1/auth/login", { body: { email, password, code: code.trim() || null } });
      return answer.data!;
    },
    onSuccess: (tokens) => enter(tokens, next),
  });
  const refused = signIn.error instanceof ApiProblem ? signIn.error : null;
  const secondFactor = refused?.type === "second-factor-required" || code !== "";

  function submit(event: FormEvent) {
    event.preventDefault();
    signIn.mutate();
  }

  return (
    <AuthFrame
      title={secondFactor ? "One more step" : "Sign in"}
      footer={
        <>
          New here?{" "}
          <Link to="/register" search={{ next, email: email || undefined }} className="text-accent underline">
            Create an account
          </Link>
        </>
      }
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {ended === true && signIn.isIdle && (
          <p role="status" className="rounded-md bg-info-soft px-3 py-2 text-info">
            Your session has ended. Sign in again, and you are back where you were.
          </p>
        )}
        {secondFactor ? (
          <Field
            label="Code"
            hint="Of your authenticator app, or one of your recovery codes."
            error={code !== "" && refused?.type === "second-factor-required" ? "This code is wrong, or was used before." : undefined}
          >
            {(control) => (
              <Input
                {...control}
                autoFocus
                autoComplete="one-time-code"
                inputMode="text"
                value={code}
                onChange={(event) => setCode(event.target.value)}
                required
              />
            )}
          </Field>
        ) : (
          <>
            <Field label="E-mail">
              {(control) => (
                <Input
                  {...control}
                  type="email"
                  autoFocus={known === undefined}
                  autoComplete="username"
                  value={email}
                  onChange={(event) => setEmail(event.target.value)}
                  required
                />
              )}
            </Field>
            <Field label="Password">
              {(control) => (
                <Input
                  {...control}
                  type="password"
                  autoFocus={known !== undefined}
                  autoComplete="current-password"
                  value={password}
                  onChange={(event) => setPassword(event.target.value)}
                  required
                />
              )}
            </Field>
          </>
        )}
        {signIn.error !== null && refused?.type !== "second-factor-required" && <SignInProblem error={signIn.error} />}
        <Button type="submit" variant="primary" pending={signIn.isPending}>
          {secondFactor ? "Go on" : "Sign in"}
        </Button>
        {!secondFactor && (
          <Link to="/reset-password" search={{ email: email || undefined }} className="text-center text-muted underline">
            Forgot your password?
          </Link>
        )}
      </form>
      <Providers next={next} />
    </AuthFrame>
  );
}

function SignInProblem({ error }: { error: Error }) {
  if (error instanceof ApiProblem && error.status === 401) {
    return (
      <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
        E-mail or password is wrong.
      </p>
    );
  }
  return <ProblemNotice error={error} />;
}

/** The identity providers of this installation. Each is a way out of the page and back to `/auth/callback/…`. */
function Providers({ next }: { next?: string }) {
  const providers = api.useQuery("get", "/api/v1/auth/providers", {}, { staleTime: Infinity });
  const found = providers.data?.results ?? [];
  if (found.length === 0) return null;
  return (
    <div className="mt-5 flex flex-col gap-2 border-t pt-5">
      {found.map((provider) => (
        <Button key={provider.name} asChild>
          <a
            href={`/api/v1/auth/oauth/${encodeURIComponent(provider.name)}${next === undefined ? "" : `?return_to=${encodeURIComponent(next)}`}`}
          >
            Continue with {provider.title}
          </a>
        </Button>
      ))}
    </div>
  );
}
