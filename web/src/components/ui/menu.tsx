import { DropdownMenu } from "radix-ui";
import { type ReactNode, useRef } from "react";
import { cn } from "../cn";
import { FLOATING, OPTION } from "./control";
import { Kbd } from "./kbd";

export interface MenuAction {
  label: string;
  icon?: ReactNode;
  onSelect: () => void;
  disabled?: boolean;
  /** Why it is disabled, or more about it. */
  title?: string;
  danger?: boolean;
  shortcut?: string;
}

export interface MenuProps {
  trigger: ReactNode;
  items: readonly (MenuAction | "separator")[];
  label: string;
  align?: "start" | "center" | "end";
}

export function Menu({ trigger, items, label, align = "end" }: MenuProps) {
  // Runs once the menu has given the focus back, so that a dialog it opens returns it to the trigger in turn.
  const chosen = useRef<(() => void) | null>(null);
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          aria-label={label}
          align={align}
          sideOffset={4}
          collisionPadding={8}
          onCloseAutoFocus={() => {
            const run = chosen.current;
            chosen.current = null;
            if (run) queueMicrotask(run);
          }}
          className={cn(FLOATING, "max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto p-1")}
        >
          {items.map((item, index) =>
            item === "separator" ? (
              <DropdownMenu.Separator key={`separator-${index}`} className="-mx-1 my-1 h-px bg-line" />
            ) : (
              <DropdownMenu.Item
                key={item.label}
                disabled={item.disabled}
                title={item.title}
                onSelect={() => {
                  chosen.current = item.onSelect;
                }}
                className={cn(
                  OPTION,
                  "[&_svg]:text-muted",
                  item.danger && "text-bad data-[highlighted]:bg-bad-soft [&_svg]:text-bad",
                  item.disabled && item.title && "data-[disabled]:pointer-events-auto",
                )}
              >
                {item.icon}
                <span className="min-w-0 flex-1 truncate">{item.label}</span>
                {item.shortcut && <Kbd>{item.shortcut}</Kbd>}
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
