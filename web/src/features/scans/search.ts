/** What the addresses of these pages may say after the `?`. */

import { choiceParam, countParam, flagParam, listParam, textParam } from "@/components/search-params";
import { EVENT_KINDS, type EventKind } from "./scan-events";
import { SCAN_STATUSES, type ScanStatus } from "./scan-words";

type Raw = Record<string, unknown>;

export type ScanListSearch = { agent?: string; status?: ScanStatus; offset?: number };

export function scanListSearch(raw: Raw): ScanListSearch {
  return {
    agent: textParam(raw, "agent"),
    status: choiceParam(raw, "status", SCAN_STATUSES),
    offset: countParam(raw, "offset", 1),
  };
}

export type NewScanSearch = { agent?: string; samples?: string; objective?: string; schedule?: true };

export function newScanSearch(raw: Raw): NewScanSearch {
  return {
    agent: textParam(raw, "agent"),
    samples: textParam(raw, "samples"),
    objective: textParam(raw, "objective"),
    schedule: flagParam(raw, "schedule"),
  };
}

export type ScheduleListSearch = { schedule?: string; offset?: number };

export function scheduleListSearch(raw: Raw): ScheduleListSearch {
  return { schedule: textParam(raw, "schedule"), offset: countParam(raw, "offset", 1) };
}

export const SCAN_TABS = ["overview", "findings", "events", "report", "settings"] as const;
export type ScanTab = (typeof SCAN_TABS)[number];

export type ScanDetailSearch = { tab?: ScanTab; candidate?: number; kinds?: EventKind[]; find?: string };

export function scanDetailSearch(raw: Raw): ScanDetailSearch {
  const kinds = listParam(raw, "kinds")?.filter((one): one is EventKind => EVENT_KINDS.some((kind) => kind === one));
  return {
    tab: choiceParam(raw, "tab", SCAN_TABS),
    candidate: countParam(raw, "candidate", 1),
    kinds: kinds && kinds.length > 0 ? kinds : undefined,
    find: textParam(raw, "find"),
  };
}
