import { Download } from "lucide-react";
import { useState } from "react";
import { download } from "@/components/download";
import { formatCount } from "@/components/format";
import { TextBody } from "@/components/text-body";
import { Button } from "@/components/ui/button";

/** What a browser lays out without a pause. */
const PIECE = 50_000;

/** Any text, of any length: what is long is laid out piece by piece, and can be downloaded whole. */
export function LongText({ text, mono = false, name = "text" }: { text: string; mono?: boolean; name?: string }) {
  const [shown, setShown] = useState(PIECE);
  if (text.length <= PIECE) return <TextBody text={text} mono={mono} maxHeight={360} />;
  const offer = () => download(new Blob([text], { type: "text/plain" }), `${name}.txt`);
  return (
    <div className="flex min-w-0 flex-col gap-1">
      {Array.from({ length: Math.ceil(Math.min(shown, text.length) / PIECE) }, (_, at) => (
        <TextBody key={at} text={text.slice(at * PIECE, (at + 1) * PIECE)} mono={mono} copy={false} maxHeight={360} />
      ))}
      <div className="flex flex-wrap items-center gap-2 text-xs text-muted">
        <span className="numeric">
          {formatCount(Math.min(shown, text.length))} of {formatCount(text.length)} characters
        </span>
        {shown < text.length && (
          <Button size="sm" onClick={() => setShown(shown + PIECE)}>
            Load {formatCount(Math.min(PIECE, text.length - shown))} more
          </Button>
        )}
        <Button size="sm" variant="ghost" onClick={offer}>
          <Download aria-hidden />
          Download all
        </Button>
      </div>
    </div>
  );
}
