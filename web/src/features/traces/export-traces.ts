/** Downloads traces as OTLP/JSON lines, narrowed like the list, or those that were chosen. */

import { download } from "@/components/download";
import { authorisedFetch } from "@/api/client";
import type { ListParams } from "@/features/traces/trace-query";

export async function exportTraces(workspaceId: string, params: ListParams, chosen: readonly string[]): Promise<void> {
  const url = new URL(`/api/v1/workspaces/${workspaceId}/traces/export`, location.origin);
  const asked = chosen.length > 0 ? { filter: `trace_id in (${chosen.map((id) => `"${id}"`).join(", ")})` } : params;
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) url.searchParams.set(name, value);
  const response = await authorisedFetch(new Request(url));
  download(await response.blob(), `traces-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jsonl`);
}

/** So many ids fit into one expression of 4,096 characters. */
export const MOST_EXPORTED = 100;
