import { X } from "lucide-react";
import { Dialog as DialogPrimitive } from "radix-ui";
import type { ReactNode } from "react";
import { cn } from "../cn";
import { Button } from "./button";
import { OVERLAY } from "./dialog";
import { useReturnFocus } from "./return-focus";

export interface SheetProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  description?: ReactNode;
  /** Buttons beside the one that closes. */
  actions?: ReactNode;
  children?: ReactNode;
  /** In pixels; a phone gives it the full width. */
  width?: number;
  /** Without it the page behind stays in use, so that a list and its panel work side by side. */
  modal?: boolean;
  /** Leaves the inner space to the children. */
  padded?: boolean;
}

export function Sheet({
  open,
  onOpenChange,
  title,
  description,
  actions,
  children,
  width = 640,
  modal = false,
  padded = true,
}: SheetProps) {
  const focus = useReturnFocus();
  return (
    <DialogPrimitive.Root open={open} onOpenChange={onOpenChange} modal={modal}>
      <DialogPrimitive.Portal>
        {modal && <DialogPrimitive.Overlay className={OVERLAY} />}
        <DialogPrimitive.Content
          {...focus}
          aria-modal={modal || undefined}
          {...(description ? {} : { "aria-describedby": undefined })}
          onInteractOutside={(event) => {
            if (!modal) event.preventDefault();
          }}
          style={{ width: `min(100vw, ${width}px)` }}
          className={cn(
            "fixed inset-y-0 right-0 flex flex-col border-l border-line bg-surface shadow-float outline-none",
            "max-sm:w-screen! max-sm:border-l-0",
            "data-[state=open]:animate-in data-[state=open]:slide-in-from-right-4 data-[state=open]:fade-in-0 data-[state=open]:duration-100",
            modal ? "z-50" : "z-30",
          )}
        >
          <div className="flex min-h-12 items-center justify-between gap-3 border-b border-line px-4 py-2">
            <div className="min-w-0">
              <DialogPrimitive.Title className="truncate text-sm font-semibold">{title}</DialogPrimitive.Title>
              {description && (
                <DialogPrimitive.Description asChild>
                  <div className="truncate text-xs text-muted">{description}</div>
                </DialogPrimitive.Description>
              )}
            </div>
            <div className="flex shrink-0 items-center gap-1">
              {actions}
              <DialogPrimitive.Close asChild>
                <Button variant="ghost" size="icon" aria-label="Close panel">
                  <X aria-hidden />
                </Button>
              </DialogPrimitive.Close>
            </div>
          </div>
          <div className={cn("min-h-0 flex-1 overflow-y-auto", padded && "p-4")}>{children}</div>
        </DialogPrimitive.Content>
      </DialogPrimitive.Portal>
    </DialogPrimitive.Root>
  );
}
