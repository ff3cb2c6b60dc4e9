import { RouterProvider } from "@tanstack/react-router";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { session } from "@/api/session";
import { makeQueryClient } from "@/app/queries";
import { makeRouter } from "@/app/router";
import "@/app/styles.css";

const queries = makeQueryClient();
const router = makeRouter(queries);

session.subscribe(() => {
  if (session.state !== "signed-out") return;
  // What somebody has read is not there for the next person at this browser.
  queries.clear();
  const { pathname, href } = router.state.location;
  if (!router.state.matches.some((match) => match.routeId === "/w/$workspaceId" || match.routeId === "/account-shell")) return;
  void router.navigate({ to: "/sign-in", search: { next: href, ended: pathname !== "/" || undefined } });
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
