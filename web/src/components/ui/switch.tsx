import { Switch as SwitchPrimitive } from "radix-ui";
import { type ReactNode, useId } from "react";
import { cn } from "../cn";

export interface SwitchProps {
  checked: boolean;
  onCheckedChange: (checked: boolean) => void;
  /** A visible label; without one give an `aria-label`. */
  label?: ReactNode;
  "aria-label"?: string;
  "aria-describedby"?: string;
  disabled?: boolean;
  title?: string;
  id?: string;
  className?: string;
}

export function Switch({ checked, onCheckedChange, label, id, className, ...rest }: SwitchProps) {
  const own = useId();
  const control = (
    <SwitchPrimitive.Root
      id={id ?? own}
      checked={checked}
      onCheckedChange={onCheckedChange}
      className={cn(
        "relative inline-flex h-4.5 w-8 shrink-0 items-center rounded-full border border-line-strong bg-sunken transition-colors",
        "after:absolute after:-inset-1 after:content-['']",
        "data-[state=checked]:border-accent data-[state=checked]:bg-accent",
        "disabled:cursor-not-allowed disabled:opacity-50",
        label ? undefined : className,
      )}
      {...rest}
    >
      <SwitchPrimitive.Thumb className="block size-3 translate-x-0.5 rounded-full bg-line-strong transition-transform data-[state=checked]:translate-x-4 data-[state=checked]:bg-on-accent" />
    </SwitchPrimitive.Root>
  );
  if (!label) return control;
  return (
    <div className={cn("flex min-h-6 items-center gap-2", className)}>
      {control}
      <label htmlFor={id ?? own} className="min-w-0 text-sm">
        {label}
      </label>
    </div>
  );
}
