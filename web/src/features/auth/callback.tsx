import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { http } from "@/api/client";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { Spinner } from "@/components/ui/spinner";
import { useEntering } from "@/features/auth/entering";
import { AuthFrame } from "@/features/auth/frame";
import { forgetInvite, keptInvite } from "@/features/auth/invite";

const route = getRouteApi("/auth/callback/$provider");

/** Where an identity provider sends people back to. */
export function CallbackPage() {
  const { provider } = route.useParams();
  const enter = useEntering();
  const begun = useRef(false);
  const complete = useMutation({
    mutationFn: async (said: URLSearchParams) => {
      const invite = keptInvite();
      const answer = await http.POST("/api/v1/auth/callback", {
        body: {
          provider,
          code: said.get("code") ?? "",
          state: said.get("state") ?? "",
          iss: said.get("iss"),
          ...(invite === null ? {} : { invite_token: invite }),
        },
      });
      return answer.data!;
    },
    onSuccess: (tokens) => {
      forgetInvite();
      enter(tokens, tokens.return_to ?? undefined);
    },
  });
  const { mutate } = complete;
  const said = new URLSearchParams(location.search);
  const denied = said.get("error_description") ?? said.get("error");
  useEffect(() => {
    // Each sign-in is completed once, also where effects run twice.
    if (begun.current || denied !== null) return;
    begun.current = true;
    mutate(new URLSearchParams(location.search));
  }, [mutate, denied]);

  const failed = denied !== null || complete.error !== null;
  return (
    <AuthFrame title={failed ? "That did not work" : "Signing you in"}>
      {failed ? (
        <div className="flex flex-col gap-4">
          {denied !== null ? <p role="alert">{provider} says: {denied}</p> : <ProblemNotice error={complete.error} />}
          <Button asChild variant="primary">
            <Link to="/sign-in">Try again</Link>
          </Button>
        </div>
      ) : (
        <p role="status" className="flex items-center gap-2 text-muted">
          <Spinner /> One moment…
        </p>
      )}
    </AuthFrame>
  );
}
