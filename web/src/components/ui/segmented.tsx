import { RadioGroup } from "radix-ui";
import { cn } from "../cn";
import type { Option } from "./option";

export interface SegmentedProps<Value extends string> {
  value: Value;
  onValueChange: (value: Value) => void;
  options: readonly Option<Value>[];
  label: string;
  className?: string;
}

/** Two to five choices, all in view. */
export function Segmented<Value extends string>({
  value,
  onValueChange,
  options,
  label,
  className,
}: SegmentedProps<Value>) {
  return (
    <RadioGroup.Root
      aria-label={label}
      orientation="horizontal"
      value={value}
      onValueChange={(next) => {
        const option = options.find((candidate) => candidate.value === next);
        if (option) onValueChange(option.value);
      }}
      className={cn("inline-flex h-7 shrink-0 items-center gap-0.5 rounded-md border border-line bg-sunken p-px", className)}
    >
      {options.map((option) => (
        <RadioGroup.Item
          key={option.value}
          value={option.value}
          disabled={option.disabled}
          title={option.hint}
          className={cn(
            "inline-flex h-6 items-center rounded-[5px] border border-transparent px-2 text-xs font-medium whitespace-nowrap text-muted",
            "hover:text-text disabled:opacity-50",
            "data-[state=checked]:border-line-strong/45 data-[state=checked]:bg-raised data-[state=checked]:text-text",
          )}
        >
          {option.label}
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  );
}
