import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { describeActor, useMembers } from "./actors";

/** Who did it; a scan is a link. */
export function ActorName({ actor }: { actor: string }) {
  const workspaceId = useWorkspaceId();
  const { label, scanId } = describeActor(actor, useMembers(workspaceId));
  if (!scanId) return <span title={actor}>{label}</span>;
  return (
    <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId }} className="text-accent hover:underline dark:text-series-1">
      {label}
    </Link>
  );
}
