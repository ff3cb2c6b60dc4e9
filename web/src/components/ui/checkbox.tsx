import { Check, Minus } from "lucide-react";
import { Checkbox as CheckboxPrimitive } from "radix-ui";
import { type ReactNode, useId } from "react";
import { cn } from "../cn";

export interface CheckboxProps {
  checked: boolean | "indeterminate";
  onCheckedChange: (checked: boolean) => void;
  /** A visible label; without one give an `aria-label`. */
  label?: ReactNode;
  "aria-label"?: string;
  disabled?: boolean;
  title?: string;
  id?: string;
  tabIndex?: number;
  className?: string;
}

export function Checkbox({ checked, onCheckedChange, label, disabled, title, id, className, ...rest }: CheckboxProps) {
  const own = useId();
  const box = (
    <CheckboxPrimitive.Root
      id={id ?? own}
      checked={checked}
      onCheckedChange={(next) => onCheckedChange(next === true)}
      disabled={disabled}
      title={title}
      className={cn(
        "relative grid size-4 shrink-0 place-items-center rounded-sm border border-line-strong bg-surface text-on-accent",
        // The box is 16 px; what takes the pointer is 24.
        "after:absolute after:-inset-1 after:content-['']",
        "data-[state=checked]:border-accent data-[state=checked]:bg-accent",
        "data-[state=indeterminate]:border-accent data-[state=indeterminate]:bg-accent",
        "disabled:cursor-not-allowed disabled:opacity-50",
        label ? undefined : className,
      )}
      {...rest}
    >
      <CheckboxPrimitive.Indicator>
        {checked === "indeterminate" ? (
          <Minus aria-hidden className="size-3" strokeWidth={3} />
        ) : (
          <Check aria-hidden className="size-3" strokeWidth={3} />
        )}
      </CheckboxPrimitive.Indicator>
    </CheckboxPrimitive.Root>
  );
  if (!label) return box;
  return (
    <div className={cn("flex min-h-6 items-center gap-2", className)}>
      {box}
      <label htmlFor={id ?? own} className={cn("min-w-0 text-sm", disabled && "text-muted")}>
        {label}
      </label>
    </div>
  );
}
