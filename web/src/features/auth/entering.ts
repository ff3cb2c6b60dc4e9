import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import type { Schemas } from "@/api/client";
import { session } from "@/api/session";
import { ownPath } from "@/features/auth/search";

/** Takes the tokens of any way of signing in, and brings the person to where they wanted to go. */
export function useEntering(): (tokens: Schemas["TokensOut"], next?: string) => void {
  const router = useRouter();
  const queries = useQueryClient();
  return (tokens, next) => {
    // Nothing of whoever was here before is shown to who comes now.
    queries.clear();
    session.begin(tokens);
    router.history.push(ownPath(next) ?? "/");
  };
}
