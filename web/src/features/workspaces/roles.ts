export const ROLES = [
  { value: "admin", label: "Admin", hint: "Everything, keys and members included" },
  { value: "contributor", label: "Contributor", hint: "Reads, starts scans, changes samples and workflows" },
  { value: "observer", label: "Observer", hint: "Reads" },
] as const;
