import { Link } from "@tanstack/react-router";
import { useStanding, useWorkspaceId } from "@/api/access";
import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Attention } from "@/features/workspaces/attention";
import { FirstTrace } from "@/features/workspaces/first-trace";
import { LiveAgents } from "@/features/workspaces/live-agents";
import { ToReview } from "@/features/workspaces/to-review";
import { Traffic } from "@/features/workspaces/traffic";
import { useHealth } from "@/features/workspaces/use-health";

/** What a person wants to know first: does it work, what needs me, what has changed. */
export function OverviewPage() {
  const workspaceId = useWorkspaceId();
  const name = useStanding()?.name ?? "Overview";
  const health = useHealth();
  const waiting = health.data?.connection.status === "waiting";
  return (
    <Page
      title={name}
      actions={
        <Button asChild variant="primary">
          <Link to="/w/$workspaceId/scans/new" params={{ workspaceId }}>
            Start a scan
          </Link>
        </Button>
      }
    >
      {waiting && health.data !== undefined && <FirstTrace connection={health.data.connection} />}
      <Attention health={health} />
      {!waiting && <Traffic />}
      <div className="grid gap-4 xl:grid-cols-[3fr_2fr]">
        <ToReview />
        <LiveAgents />
      </div>
    </Page>
  );
}
