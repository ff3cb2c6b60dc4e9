import type { Schemas } from "@/api/client";
import { formatCount } from "@/components/format";
import { Badge } from "@/components/ui/badge";

type Judged = Pick<Schemas["TraceOut"], "status" | "error_count" | "error_type">;

/** Most exporters leave the status unset where all went well: that is no news, a failure is. */
export function TraceStatus({ trace }: { trace: Judged }) {
  if (trace.status === "error") {
    return (
      <Badge tone="bad" dot title={trace.error_type ? `Failed: ${trace.error_type}` : "The root span failed"}>
        {trace.error_type ?? "Error"}
      </Badge>
    );
  }
  if (trace.error_count > 0) {
    const spans = trace.error_count === 1 ? "A span" : `${formatCount(trace.error_count)} spans`;
    return (
      <Badge tone="warn" dot title={`${spans} below the root failed${trace.error_type ? `: ${trace.error_type}` : ""}`}>
        {formatCount(trace.error_count)} failed
      </Badge>
    );
  }
  if (trace.status === "ok") {
    return (
      <Badge tone="good" dot>
        OK
      </Badge>
    );
  }
  return (
    <span className="text-muted" title="The root span reports neither success nor failure">
      Unset
    </span>
  );
}
