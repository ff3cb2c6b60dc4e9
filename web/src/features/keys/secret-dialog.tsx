import type { ReactNode } from "react";
import { CopyButton } from "@/components/copy-button";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";

type Props = { title: string; secret: string; onClose: () => void; children?: ReactNode };

/** A secret that is shown this once. It is left by its button only, so that nobody loses it by a stray click. */
export function SecretDialog({ title, secret, onClose, children }: Props) {
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={title}
      description="Copy it now: it is not kept here in a form that can be shown again."
      size="lg"
      footer={
        <Button variant="primary" onClick={onClose}>
          I have copied it
        </Button>
      }
    >
      <div className="flex flex-col gap-4">
        <div className="flex items-center gap-2 rounded-md border border-line-strong bg-sunken py-1.5 pr-1.5 pl-3">
          <code data-testid="secret" className="min-w-0 flex-1 font-mono text-xs break-all">
            {secret}
          </code>
          <CopyButton text={secret} label="Copy the key" withText />
        </div>
        {children}
      </div>
    </Dialog>
  );
}
