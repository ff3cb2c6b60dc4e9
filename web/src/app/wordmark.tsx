export function Wordmark() {
  return (
    <span className="flex items-center gap-2 text-base font-semibold tracking-tight">
      <img src="/assets/spectral.svg" alt="" className="size-6 rounded-md" />
      Spectral
    </span>
  );
}
