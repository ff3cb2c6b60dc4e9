import type { ReactNode } from "react";

type Props = { title: string; children: ReactNode; footer?: ReactNode };

/** The frame of every page that one sees before one is signed in. */
export function AuthFrame({ title, children, footer }: Props) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <p className="mb-8 flex items-center justify-center gap-2.5 text-lg font-semibold tracking-tight">
          <img src="/assets/spectral.svg" alt="" className="size-8 rounded-md" />
          Spectral
        </p>
        <section className="rounded-lg border bg-surface p-6 shadow-float">
          <h1 className="mb-5 text-xl font-semibold">{title}</h1>
          {children}
        </section>
        {footer !== undefined && <p className="mt-5 text-center text-muted">{footer}</p>}
      </div>
    </main>
  );
}
