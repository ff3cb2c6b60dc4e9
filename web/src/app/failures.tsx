import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { createContext, use } from "react";
import { EmptyState } from "@/components/empty-state";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";

/** Whether a frame with the landmark `main` is around what is shown; a page has one. */
export const Framed = createContext(false);

function Ground({ className, children }: { className: string; children: React.ReactNode }) {
  const Landmark = use(Framed) ? "div" : "main";
  return <Landmark className={className}>{children}</Landmark>;
}

/** The first heading of a page that has no other. */
function Heading({ children }: { children: string }) {
  return (
    <span role="heading" aria-level={1}>
      {children}
    </span>
  );
}

export function NotFound() {
  return (
    <Ground className="grid min-h-[60vh] place-items-center p-6">
      <EmptyState
        title={<Heading>There is nothing here</Heading>}
        actions={
          <Button asChild variant="primary">
            <Link to="/">Go to your workspace</Link>
          </Button>
        }
      >
        The address is mistyped or old, or what it names was deleted or belongs to a workspace that you are not in.
      </EmptyState>
    </Ground>
  );
}

export function RouteFailure({ error, reset }: ErrorComponentProps) {
  // A page that was released anew has other files than the one that is open.
  if (error instanceof Error && /dynamically imported module|module script failed/i.test(error.message)) {
    return (
      <Ground className="grid min-h-[60vh] place-items-center p-6">
        <EmptyState
          title={<Heading>Spectral has been upgraded</Heading>}
          actions={
            <Button variant="primary" onClick={() => location.reload()}>
              Load the new version
            </Button>
          }
        >
          This page is of an earlier version. Nothing that you saved is affected.
        </EmptyState>
      </Ground>
    );
  }
  return (
    <Ground className="mx-auto max-w-2xl p-6">
      <ProblemNotice error={error} retry={reset} />
    </Ground>
  );
}
