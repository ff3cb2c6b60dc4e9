import { Slider as SliderPrimitive } from "radix-ui";
import { cn } from "../cn";

export interface SliderProps {
  value: number;
  onValueChange: (value: number) => void;
  /** The last value of a drag: what is worth a request. */
  onValueCommit?: (value: number) => void;
  min?: number;
  max?: number;
  step?: number;
  label: string;
  /** How the value is said, with its unit. */
  valueText?: string;
  disabled?: boolean;
  className?: string;
}

export function Slider({
  value,
  onValueChange,
  onValueCommit,
  min = 0,
  max = 1,
  step = 0.01,
  label,
  valueText,
  disabled,
  className,
}: SliderProps) {
  return (
    <SliderPrimitive.Root
      value={[value]}
      onValueChange={([next]) => next !== undefined && onValueChange(next)}
      onValueCommit={([next]) => next !== undefined && onValueCommit?.(next)}
      min={min}
      max={max}
      step={step}
      disabled={disabled}
      className={cn("relative flex h-6 w-full touch-none items-center select-none data-[disabled]:opacity-50", className)}
    >
      <SliderPrimitive.Track className="relative h-1 grow rounded-full bg-line-strong/45">
        <SliderPrimitive.Range className="absolute h-full rounded-full bg-accent" />
      </SliderPrimitive.Track>
      <SliderPrimitive.Thumb
        aria-label={label}
        aria-valuetext={valueText}
        className="block size-4 rounded-full border-2 border-accent bg-surface after:absolute after:-inset-1 after:content-['']"
      />
    </SliderPrimitive.Root>
  );
}
