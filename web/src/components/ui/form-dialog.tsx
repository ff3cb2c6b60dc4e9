import { type ComponentProps, type ReactNode, useId } from "react";
import { cn } from "../cn";
import { ProblemNotice } from "../problem-notice";
import { Button } from "./button";
import { Dialog, type DialogProps } from "./dialog";

export interface FormDialogProps
  extends Pick<DialogProps, "title" | "description" | "size">,
    Pick<ComponentProps<"form">, "autoComplete" | "className"> {
  submitLabel: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  pending: boolean;
  /** Shown below the fields. */
  error: unknown;
  onClose: () => void;
  onSubmit: () => void;
  /** The fields. */
  children: ReactNode;
}

/** A dialog that holds one form: open for as long as it is there, and left by sending the form or by cancelling. */
export function FormDialog({
  submitLabel,
  danger = false,
  disabled = false,
  pending,
  error,
  onClose,
  onSubmit,
  autoComplete,
  className,
  children,
  ...dialog
}: FormDialogProps) {
  // The button is in the footer, outside the form.
  const form = useId();
  return (
    <Dialog
      {...dialog}
      open
      onOpenChange={(open) => !open && onClose()}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={form} variant={danger ? "danger" : "primary"} pending={pending} disabled={disabled}>
            {submitLabel}
          </Button>
        </>
      }
    >
      <form
        id={form}
        autoComplete={autoComplete}
        className={cn("flex flex-col gap-4", className)}
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        {children}
        {error !== undefined && error !== null && <ProblemNotice error={error} />}
      </form>
    </Dialog>
  );
}
