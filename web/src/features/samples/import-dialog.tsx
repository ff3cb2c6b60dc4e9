import { useState } from "react";
import type { Schemas } from "@/api/client";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { ImportFile } from "./import-file";
import { ImportReceipt } from "./import-receipt";
import { ImportTraces } from "./import-traces";
import type { SetPath } from "./queries";

interface ImportDialogProps {
  path: SetPath;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** What was dropped on the page. */
  file: File | null;
  onFile: (file: File | null) => void;
}

type Source = "file" | "traces";

export function ImportDialog({ path, open, onOpenChange, file, onFile }: ImportDialogProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Import samples"
      description="Repetitions and near-duplicates are skipped and counted. The set decides which split a sample goes to."
      size="lg"
    >
      {open && <ImportBody path={path} file={file} onFile={onFile} onClose={() => onOpenChange(false)} />}
    </Dialog>
  );
}

interface ImportBodyProps {
  path: SetPath;
  file: File | null;
  onFile: (file: File | null) => void;
  onClose: () => void;
}

function ImportBody({ path, file, onFile, onClose }: ImportBodyProps) {
  const [source, setSource] = useState<Source>("file");
  const [receipt, setReceipt] = useState<Schemas["ImportOut"] | null>(null);
  if (receipt) {
    return (
      <div className="flex flex-col gap-4">
        <ImportReceipt receipt={receipt} />
        <div className="flex justify-end gap-2">
          <Button
            onClick={() => {
              setReceipt(null);
              onFile(null);
            }}
          >
            Import more
          </Button>
          <Button variant="primary" onClick={onClose}>
            Done
          </Button>
        </div>
      </div>
    );
  }
  return (
    <div className="flex flex-col gap-3">
      <Tabs
        label="Where samples come from"
        name="import"
        value={source}
        onValueChange={setSource}
        tabs={[
          { value: "file", label: "File" },
          { value: "traces", label: "Traces" },
        ]}
        className="-mt-2 border-b border-line"
      />
      <TabPanel name="import" value={source}>
        {source === "file" ? (
          <ImportFile path={path} file={file} onFile={onFile} onImported={setReceipt} />
        ) : (
          <ImportTraces path={path} onImported={setReceipt} />
        )}
      </TabPanel>
    </div>
  );
}
