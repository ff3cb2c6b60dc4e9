import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { toast } from "sonner";
import { authorisedFetch, type Schemas } from "@/api/client";
import { download } from "@/components/download";
import { describeProblem } from "@/components/problem-text";
import { Button } from "@/components/ui/button";
import { Menu } from "@/components/ui/menu";
import type { SetPath } from "./queries";

export function ExportMenu({ path, set }: { path: SetPath; set: Schemas["SampleSetOut"] }) {
  const save = useMutation({
    mutationFn: async (format: "jsonl" | "csv") => {
      const address = new URL(`/api/v1/workspaces/${path.workspace_id}/samples/${path.set_id}/export?format=${format}`, location.origin);
      const response = await authorisedFetch(new Request(address));
      download(await response.blob(), `${set.name.replaceAll(/[^\w.-]+/g, "-")}-v${set.version}.${format}`);
    },
    onError: (error) => toast.error(`Not exported: ${describeProblem(error).title}`),
  });
  return (
    <Menu
      label="Export"
      trigger={
        <Button pending={save.isPending}>
          <Download aria-hidden />
          Export
        </Button>
      }
      items={[
        { label: "JSON Lines", onSelect: () => save.mutate("jsonl") },
        { label: "CSV", onSelect: () => save.mutate("csv") },
      ]}
    />
  );
}
