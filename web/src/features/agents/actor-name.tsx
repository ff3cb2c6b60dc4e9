import { Link } from "@tanstack/react-router";
import { useWorkspaceId } from "@/api/access";
import { Actor } from "@/components/actor";

const SCAN = /^(?:system:scan |scan:)([0-9a-f-]{36})$/;

/** Who did it; a scan is a link. */
export function ActorName({ actor }: { actor: string }) {
  const workspaceId = useWorkspaceId();
  const scanId = SCAN.exec(actor)?.[1];
  if (scanId === undefined) return <Actor by={actor} />;
  return (
    <Link to="/w/$workspaceId/scans/$scanId" params={{ workspaceId, scanId }} className="text-accent hover:underline dark:text-series-1">
      a scan
    </Link>
  );
}
