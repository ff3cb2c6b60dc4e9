/** What inputs, selects and text areas share: their border carries the 3 : 1 contrast that marks a control. */
export const CONTROL = [
  "w-full min-w-0 rounded-md border border-line-strong/70 bg-surface text-sm text-text transition-colors duration-100",
  "placeholder:text-muted hover:border-line-strong",
  "focus-visible:border-accent focus-visible:outline-2 focus-visible:-outline-offset-1 focus-visible:outline-accent",
  "disabled:cursor-not-allowed disabled:bg-sunken disabled:text-muted",
  "aria-invalid:border-bad aria-invalid:focus-visible:outline-bad",
].join(" ");

/** One row of a menu, a select or a combobox. */
export const OPTION = [
  "relative flex min-h-7 cursor-default items-center gap-2 rounded-sm px-2 py-1 text-sm outline-none select-none",
  "data-[highlighted]:bg-hover data-[selected=true]:bg-hover",
  "data-[disabled]:pointer-events-none data-[disabled=true]:pointer-events-none",
  "data-[disabled]:text-muted data-[disabled]:opacity-60 data-[disabled=false]:pointer-events-auto",
  "data-[disabled=false]:text-text data-[disabled=false]:opacity-100",
  "[&_svg]:size-3.5 [&_svg]:shrink-0",
].join(" ");

/** A surface that floats above the page. */
export const FLOATING =
  "z-50 rounded-md border border-line bg-raised text-text shadow-float outline-none data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:duration-100";
