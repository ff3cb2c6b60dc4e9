import { useMutation, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { type ComponentType, type ReactNode, useState } from "react";
import { toast } from "sonner";
import { lacking, useMay } from "@/api/access";
import { ProblemNotice } from "@/components/problem-notice";
import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { type Credential, CredentialTable } from "@/features/keys/credential-table";
import { RotateDialog } from "@/features/keys/rotate-dialog";
import { SecretDialog } from "@/features/keys/secret-dialog";

/** What the server tells of a new key, this once with its secret. */
type Made = { name: string; key: string };

export type NewCredentialProps<M extends Made> = { onClose: () => void; onCreated: (made: M) => Promise<void> };

type Props<T extends Credential, M extends Made> = {
  title: string;
  description: string;
  newLabel: string;
  newDialog: ComponentType<NewCredentialProps<M>>;
  /** Stands in the place of the table. */
  empty: ReactNode;
  query: Pick<UseQueryResult<T[], unknown>, "data" | "error" | "isPending" | "refetch">;
  /** The path of the list, which every change makes out of date. */
  path: string;
  rights: (credential: T) => ReactNode;
  rotate: (credential: T, overlapS: number) => Promise<M>;
  revoke: (credential: T) => Promise<unknown>;
  /** Whom a revocation stops. */
  revokeWarning: string;
  secretTitle: (made: M) => string;
  /** How the secret is used. */
  secretUse: (made: M) => ReactNode;
};

/** The credentials of one kind: those that there are, a new one, another secret for one, and the end of one. */
export function CredentialPanel<T extends Credential, M extends Made>({
  title,
  description,
  newLabel,
  newDialog: NewDialog,
  empty,
  query,
  path,
  rights,
  rotate,
  revoke,
  revokeWarning,
  secretTitle,
  secretUse,
}: Props<T, M>) {
  const mayChange = useMay("admin:workspace");
  const queries = useQueryClient();
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<{ action: "rotate" | "revoke"; credential: T } | null>(null);
  const [made, setMade] = useState<M | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", path] });

  const rotation = useMutation({
    mutationFn: ({ credential, overlapS }: { credential: T; overlapS: number }) => rotate(credential, overlapS),
    onSuccess: async (next) => {
      setAsked(null);
      setMade(next);
      await refresh();
    },
  });
  const revocation = useMutation({
    mutationFn: revoke,
    onSuccess: async (_, { name }) => {
      setAsked(null);
      toast.success(`${name} is revoked`);
      await refresh();
    },
  });

  function ask(action: "rotate" | "revoke", credential: T) {
    rotation.reset();
    revocation.reset();
    setAsked({ action, credential });
  }

  const list = query.data ?? [];
  return (
    <>
      <Panel
        title={title}
        description={description}
        padded={list.length === 0}
        actions={
          <Button
            variant="primary"
            onClick={() => setCreating(true)}
            disabled={!mayChange}
            title={mayChange ? undefined : lacking("admin:workspace")}
          >
            {newLabel}
          </Button>
        }
      >
        {!mayChange ? (
          <p className="text-muted">{lacking("admin:workspace")}.</p>
        ) : query.error !== null ? (
          <ProblemNotice error={query.error} retry={() => void query.refetch()} />
        ) : query.isPending ? (
          <SkeletonRows rows={3} />
        ) : list.length === 0 ? (
          empty
        ) : (
          <CredentialTable
            label={title}
            credentials={list}
            rights={rights}
            actions={(credential) => [
              { label: "Rotate…", onSelect: () => ask("rotate", credential) },
              { label: "Revoke…", danger: true, onSelect: () => ask("revoke", credential) },
            ]}
          />
        )}
      </Panel>
      {creating && (
        <NewDialog
          onClose={() => setCreating(false)}
          onCreated={async (next) => {
            setCreating(false);
            setMade(next);
            await refresh();
          }}
        />
      )}
      {asked?.action === "rotate" && (
        <RotateDialog
          name={asked.credential.name}
          pending={rotation.isPending}
          error={rotation.error}
          onClose={() => setAsked(null)}
          onRotate={(overlapS) => rotation.mutate({ credential: asked.credential, overlapS })}
        />
      )}
      <ConfirmDialog
        open={asked?.action === "revoke"}
        onOpenChange={(open) => !open && setAsked(null)}
        title={`Revoke ${asked?.credential.name ?? ""}`}
        confirmLabel="Revoke"
        danger
        pending={revocation.isPending}
        error={revocation.error}
        onConfirm={() => asked !== null && revocation.mutate(asked.credential)}
      >
        <p>{revokeWarning} This cannot be undone.</p>
      </ConfirmDialog>
      {made !== null && (
        <SecretDialog title={secretTitle(made)} secret={made.key} onClose={() => setMade(null)}>
          {secretUse(made)}
        </SecretDialog>
      )}
    </>
  );
}
