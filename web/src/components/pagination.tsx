import { ChevronLeft, ChevronRight } from "lucide-react";
import { formatCount } from "./format";
import { Button } from "./ui/button";

export interface PaginationProps {
  total: number;
  totalIsEstimate?: boolean;
  limit: number;
  offset: number;
  onOffsetChange: (offset: number) => void;
}

export function Pagination({ total, totalIsEstimate = false, limit, offset, onOffsetChange }: PaginationProps) {
  const last = Math.min(offset + limit, total);
  return (
    <nav aria-label="Pages" className="flex items-center justify-between gap-3 text-xs text-muted">
      <span className="numeric">
        {total === 0 ? "0" : `${formatCount(offset + 1)}–${formatCount(last)}`} of {totalIsEstimate ? "at least " : ""}
        {formatCount(total)}
      </span>
      <span className="flex items-center gap-1">
        <Button
          size="icon"
          aria-label="Previous page"
          disabled={offset === 0}
          onClick={() => onOffsetChange(Math.max(0, offset - limit))}
        >
          <ChevronLeft aria-hidden />
        </Button>
        <Button
          size="icon"
          aria-label="Next page"
          disabled={offset + limit >= total}
          onClick={() => onOffsetChange(offset + limit)}
        >
          <ChevronRight aria-hidden />
        </Button>
      </span>
    </nav>
  );
}

export interface ShownOfProps {
  shown: number;
  total: number | null | undefined;
  totalIsEstimate?: boolean;
  /** In the plural: "traces". */
  noun: string;
}

/** "50 of 1,234 traces shown". */
export function ShownOf({ shown, total, totalIsEstimate = false, noun }: ShownOfProps) {
  return (
    <span className="numeric text-xs whitespace-nowrap text-muted" aria-live="polite">
      {formatCount(shown)}
      {total === null || total === undefined ? ` ${noun}` : ` of ${totalIsEstimate ? "at least " : ""}${formatCount(total)} ${noun}`} shown
    </span>
  );
}
