import { Check, ChevronDown } from "lucide-react";
import { Select as SelectPrimitive } from "radix-ui";
import { cn } from "../cn";
import { CONTROL, FLOATING, OPTION } from "./control";
import type { Option } from "./option";

export interface SelectProps<Value extends string> {
  value: Value | undefined;
  onValueChange: (value: Value) => void;
  options: readonly Option<Value>[];
  placeholder?: string;
  /** The accessible name; leave it out only inside a `Field`, whose label names the control. */
  label?: string;
  size?: "sm" | "md";
  id?: string;
  disabled?: boolean;
  className?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
  "aria-required"?: boolean;
}

// Radix keeps the empty string for "nothing chosen", while "" is a fine value of an option ("All").
const PREFIX = "=";

export function Select<Value extends string>({
  value,
  onValueChange,
  options,
  placeholder = "Choose…",
  label,
  size = "md",
  id,
  disabled,
  className,
  ...aria
}: SelectProps<Value>) {
  const chosen = options.find((option) => option.value === value);
  return (
    <SelectPrimitive.Root
      value={chosen ? PREFIX + chosen.value : ""}
      disabled={disabled}
      onValueChange={(next) => {
        const option = options.find((candidate) => PREFIX + candidate.value === next);
        if (option) onValueChange(option.value);
      }}
    >
      <SelectPrimitive.Trigger
        id={id}
        aria-label={label}
        {...aria}
        className={cn(
          CONTROL,
          "inline-flex items-center justify-between gap-2 text-left data-[placeholder]:text-muted",
          size === "sm" ? "h-7 px-2 text-xs" : "h-8 px-2.5",
          className,
        )}
      >
        <span className="truncate">
          <SelectPrimitive.Value placeholder={placeholder}>{chosen?.label}</SelectPrimitive.Value>
        </span>
        <ChevronDown aria-hidden className="size-3.5 shrink-0 text-muted" />
      </SelectPrimitive.Trigger>
      <SelectPrimitive.Portal>
        <SelectPrimitive.Content
          position="popper"
          sideOffset={4}
          className={cn(
            FLOATING,
            "max-h-(--radix-select-content-available-height) max-w-96 min-w-(--radix-select-trigger-width)",
          )}
        >
          <SelectPrimitive.Viewport className="p-1">
            {options.map((option) => (
              <SelectPrimitive.Item
                key={option.value}
                value={PREFIX + option.value}
                disabled={option.disabled}
                className={cn(OPTION, "pr-7")}
              >
                <span className="min-w-0">
                  <SelectPrimitive.ItemText>{option.label}</SelectPrimitive.ItemText>
                  {option.hint && <span className="block text-xs text-muted">{option.hint}</span>}
                </span>
                <SelectPrimitive.ItemIndicator className="absolute right-2">
                  <Check aria-hidden className="size-3.5 text-accent" />
                </SelectPrimitive.ItemIndicator>
              </SelectPrimitive.Item>
            ))}
          </SelectPrimitive.Viewport>
        </SelectPrimitive.Content>
      </SelectPrimitive.Portal>
    </SelectPrimitive.Root>
  );
}
