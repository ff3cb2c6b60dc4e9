import { useActorNames } from "@/api/actors";

/** Who did it. Below a workspace only. */
export function Actor({ by }: { by: string | null }) {
  const nameOf = useActorNames();
  return by === null ? <>–</> : <span title={by}>{nameOf(by)}</span>;
}
