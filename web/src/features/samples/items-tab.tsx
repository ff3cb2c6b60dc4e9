import { Snowflake, Upload } from "lucide-react";
import type { Schemas } from "@/api/client";
import { EmptyState } from "@/components/empty-state";
import { formatCount } from "@/components/format";
import { Button } from "@/components/ui/button";
import { Segmented } from "@/components/ui/segmented";
import { Select } from "@/components/ui/select";
import { spentOf } from "./holdout-ledger";
import { ItemGrid } from "./item-grid";
import { ItemSheet } from "./item-sheet";
import type { SetPath } from "./queries";
import { type SampleSetDetailSearch, SPLITS } from "./search";

interface ItemsTabProps {
  path: SetPath;
  set: Schemas["SampleSetOut"];
  search: SampleSetDetailSearch;
  onChange: (part: Partial<SampleSetDetailSearch>) => void;
  mayWrite: boolean;
}

export function ItemsTab({ path, set, search, onChange, mayWrite }: ItemsTabProps) {
  const filter = { split: search.split, frozen: search.frozen };
  const filtered = search.split !== undefined || search.frozen !== undefined;
  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-1.5 sm:px-5">
        <Segmented
          label="Split"
          value={search.split ?? "all"}
          onValueChange={(next) => onChange({ split: next === "all" ? undefined : next, item: undefined, at: undefined })}
          options={[
            { value: "all", label: `All ${formatCount(set.items)}` },
            ...SPLITS.map((split) => ({ value: split, label: `${split} ${formatCount(set.splits[split])}` })),
          ]}
          className="max-w-full overflow-x-auto"
        />
        <Select
          label="Frozen"
          size="sm"
          className="w-36"
          value={search.frozen ?? ""}
          onValueChange={(next) => onChange({ frozen: next === "" ? undefined : next, item: undefined, at: undefined })}
          options={[
            { value: "", label: "Frozen or not" },
            { value: "yes", label: "Frozen" },
            { value: "no", label: "Not frozen" },
          ]}
        />
        {set.holdout && <HoldoutSummary holdout={set.holdout} onOpen={() => onChange({ tab: "holdout" })} />}
      </div>
      <ItemGrid
        path={path}
        filter={filter}
        at={search.item === undefined ? undefined : search.at}
        onOpen={(item, at) => onChange({ item, at })}
        empty={
          filtered ? (
            <EmptyState title="No sample fits the filter" actions={<Button onClick={() => onChange({ split: undefined, frozen: undefined })}>Clear the filter</Button>} />
          ) : (
            <EmptyState
              icon={<Upload />}
              title="No samples yet"
              actions={
                mayWrite && (
                  <Button variant="primary" onClick={() => onChange({ open: "import" })}>
                    Import samples
                  </Button>
                )
              }
            >
              Drop a .jsonl or .csv file here, take them from traces, or add them one by one.
            </EmptyState>
          )
        }
      />
      <ItemSheet path={path} itemId={search.item} onClose={() => onChange({ item: undefined, at: undefined })} />
    </>
  );
}

function HoldoutSummary({ holdout, onOpen }: { holdout: Schemas["HoldoutOut"]; onOpen: () => void }) {
  const { looks, planned } = spentOf(holdout.looks);
  return (
    <Button variant="ghost" size="sm" className="ml-auto" onClick={onOpen}>
      <Snowflake aria-hidden className="text-info" />
      <span className="numeric">
        {formatCount(holdout.size)} frozen · {looks} of {planned} looks spent
      </span>
    </Button>
  );
}
