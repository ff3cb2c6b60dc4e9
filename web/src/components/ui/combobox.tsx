import { Command } from "cmdk";
import { Check, ChevronDown } from "lucide-react";
import { Popover as PopoverPrimitive } from "radix-ui";
import { type ReactNode, useState } from "react";
import { cn } from "../cn";
import { CONTROL, FLOATING, OPTION } from "./control";
import type { Option } from "./option";

interface CommonProps<Value extends string> {
  options: readonly Option<Value>[];
  placeholder?: string;
  /** The accessible name; leave it out only inside a `Field`, whose label names the control. */
  label?: string;
  searchPlaceholder?: string;
  /** Said when nothing matches what was typed. */
  emptyText?: string;
  size?: "sm" | "md";
  id?: string;
  disabled?: boolean;
  className?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
  "aria-required"?: boolean;
}

export interface ComboboxProps<Value extends string> extends CommonProps<Value> {
  value: Value | undefined;
  onValueChange: (value: Value) => void;
}

export function Combobox<Value extends string>({ value, onValueChange, ...rest }: ComboboxProps<Value>) {
  const chosen = rest.options.find((option) => option.value === value);
  return (
    <OptionPicker
      {...rest}
      summary={chosen?.label}
      isChosen={(option) => option.value === value}
      onPick={(option) => {
        onValueChange(option.value);
        return "close";
      }}
    />
  );
}

export interface MultiSelectProps<Value extends string> extends CommonProps<Value> {
  values: readonly Value[];
  onValuesChange: (values: Value[]) => void;
}

export function MultiSelect<Value extends string>({ values, onValuesChange, ...rest }: MultiSelectProps<Value>) {
  const chosen = rest.options.filter((option) => values.includes(option.value));
  const summary = chosen.length > 2 ? `${chosen.length} selected` : chosen.map((option) => option.label).join(", ");
  return (
    <OptionPicker
      {...rest}
      multiple
      summary={summary || undefined}
      isChosen={(option) => values.includes(option.value)}
      onPick={({ value }) => {
        onValuesChange(values.includes(value) ? values.filter((other) => other !== value) : [...values, value]);
        return "stay";
      }}
    />
  );
}

interface OptionPickerProps<Value extends string> extends CommonProps<Value> {
  summary: ReactNode;
  multiple?: boolean;
  isChosen: (option: Option<Value>) => boolean;
  onPick: (option: Option<Value>) => "close" | "stay";
}

function OptionPicker<Value extends string>({
  options,
  placeholder = "Choose…",
  label,
  searchPlaceholder = "Search…",
  emptyText = "No match.",
  size = "md",
  id,
  disabled,
  className,
  summary,
  multiple = false,
  isChosen,
  onPick,
  ...aria
}: OptionPickerProps<Value>) {
  const [open, setOpen] = useState(false);
  const name = label ?? "Options";
  return (
    <PopoverPrimitive.Root open={open} onOpenChange={setOpen}>
      <PopoverPrimitive.Trigger asChild>
        <button
          type="button"
          id={id}
          disabled={disabled}
          aria-label={label && `${label}: ${typeof summary === "string" ? summary : placeholder}`}
          aria-describedby={aria["aria-describedby"]}
          className={cn(
            CONTROL,
            "inline-flex items-center justify-between gap-2 text-left",
            size === "sm" ? "h-7 px-2 text-xs" : "h-8 px-2.5",
            aria["aria-invalid"] && "border-bad",
            summary === undefined && "text-muted",
            className,
          )}
        >
          <span className="truncate">{summary ?? placeholder}</span>
          <ChevronDown aria-hidden className="size-3.5 shrink-0 text-muted" />
        </button>
      </PopoverPrimitive.Trigger>
      <PopoverPrimitive.Portal>
        <PopoverPrimitive.Content
          aria-label={name}
          align="start"
          sideOffset={4}
          collisionPadding={8}
          className={cn(FLOATING, "w-72 max-w-[calc(100vw-1rem)] min-w-(--radix-popover-trigger-width)")}
        >
          <Command label={name} className="flex flex-col">
            <Command.Input
              placeholder={searchPlaceholder}
              className="h-8 w-full border-b border-line bg-transparent px-2.5 text-sm outline-none placeholder:text-muted"
            />
            <Command.List aria-label={name} className="max-h-72 overflow-y-auto p-1">
              <Command.Empty className="px-2 py-3 text-sm text-muted">{emptyText}</Command.Empty>
              {options.map((option) => {
                const chosen = isChosen(option);
                return (
                  <Command.Item
                    key={option.value}
                    value={option.value}
                    keywords={option.hint ? [option.label, option.hint] : [option.label]}
                    disabled={option.disabled}
                    data-chosen={chosen || undefined}
                    onSelect={() => {
                      if (onPick(option) === "close") setOpen(false);
                    }}
                    className={OPTION}
                  >
                    <span
                      aria-hidden
                      className={cn(
                        "grid size-4 shrink-0 place-items-center",
                        multiple && "rounded-sm border border-line-strong",
                        multiple && chosen && "border-accent bg-accent text-on-accent",
                        !multiple && "text-accent",
                      )}
                    >
                      {chosen && <Check strokeWidth={2.5} />}
                    </span>
                    <span className="min-w-0 flex-1">
                      <span className="block truncate">{option.label}</span>
                      {option.hint && <span className="block truncate text-xs text-muted">{option.hint}</span>}
                    </span>
                    {chosen && <span className="sr-only">selected</span>}
                  </Command.Item>
                );
              })}
            </Command.List>
          </Command>
        </PopoverPrimitive.Content>
      </PopoverPrimitive.Portal>
    </PopoverPrimitive.Root>
  );
}
