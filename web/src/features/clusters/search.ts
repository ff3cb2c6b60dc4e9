/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, textParam } from "@/components/search-params";

type Raw = Record<string, unknown>;

export const CLUSTER_STATUSES = ["open", "investigating", "resolved", "muted"] as const;
export type ClusterStatus = (typeof CLUSTER_STATUSES)[number];

/** cluster: the one in the panel. */
export type ClusterListSearch = { agent?: string; status?: ClusterStatus; cluster?: string; offset?: number };

export function clusterListSearch(raw: Raw): ClusterListSearch {
  return {
    agent: textParam(raw, "agent"),
    status: choiceParam(raw, "status", CLUSTER_STATUSES),
    cluster: textParam(raw, "cluster"),
    offset: countParam(raw, "offset", 1),
  };
}
