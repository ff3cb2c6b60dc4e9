import { AlertDialog } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { cn } from "../cn";
import { ProblemNotice } from "../problem-notice";
import { Button } from "./button";
import { OVERLAY } from "./dialog";
import { Field } from "./field";
import { Input } from "./input";
import { useReturnFocus } from "./return-focus";

export interface ConfirmDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  /** What will happen. */
  children: ReactNode;
  confirmLabel: string;
  danger?: boolean;
  /** A text to type, such as the name of what goes away. */
  requireText?: string;
  pending?: boolean;
  error?: unknown;
  onConfirm: () => void;
}

export function ConfirmDialog({
  open,
  onOpenChange,
  title,
  children,
  confirmLabel,
  danger = false,
  requireText,
  pending = false,
  error,
  onConfirm,
}: ConfirmDialogProps) {
  const focus = useReturnFocus();
  const [typed, setTyped] = useState("");
  useEffect(() => {
    if (!open) setTyped("");
  }, [open]);
  const blocked = pending || (requireText !== undefined && typed !== requireText);
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={OVERLAY} />
        <AlertDialog.Content
          {...focus}
          className={cn(
            "fixed top-[14vh] left-1/2 z-50 max-h-[80vh] w-[calc(100vw-1.5rem)] max-w-md -translate-x-1/2 overflow-y-auto",
            "rounded-lg border border-line bg-raised shadow-float outline-none",
          )}
        >
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!blocked) onConfirm();
            }}
          >
            <div className="flex flex-col gap-2 p-4">
              <AlertDialog.Title className="text-base font-semibold">{title}</AlertDialog.Title>
              <AlertDialog.Description asChild>
                <div className="space-y-2 text-sm text-muted">{children}</div>
              </AlertDialog.Description>
              {requireText !== undefined && (
                <Field
                  className="mt-1"
                  label={
                    <>
                      Type <span className="font-mono">{requireText}</span> to confirm
                    </>
                  }
                >
                  {(control) => (
                    <Input
                      {...control}
                      autoComplete="off"
                      spellCheck={false}
                      value={typed}
                      onChange={(event) => setTyped(event.target.value)}
                    />
                  )}
                </Field>
              )}
              {error !== undefined && error !== null && <ProblemNotice error={error} />}
            </div>
            <div className="flex justify-end gap-2 border-t border-line px-4 py-3">
              <AlertDialog.Cancel asChild>
                <Button>Cancel</Button>
              </AlertDialog.Cancel>
              <Button type="submit" variant={danger ? "danger" : "primary"} disabled={blocked} pending={pending}>
                {confirmLabel}
              </Button>
            </div>
          </form>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
