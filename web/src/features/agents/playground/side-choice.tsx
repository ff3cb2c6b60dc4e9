import type { Schemas } from "@/api/client";
import { Select } from "@/components/ui/select";
import { useHistory } from "../versions/use-history";
import { DRAFT, versionSide } from "./sides";

export interface SideChoiceProps {
  label: string;
  agent: Schemas["AgentOut"];
  value: string;
  onValueChange: (value: string) => void;
}

export function SideChoice({ label, agent, value, onValueChange }: SideChoiceProps) {
  const { versions } = useHistory();
  return (
    <Select
      label={label}
      size="sm"
      className="w-52"
      value={value}
      onValueChange={onValueChange}
      options={[
        ...Object.entries(agent.live).map(([environment, version]) => ({ value: environment, label: `Live in ${environment} (v${version})` })),
        ...versions.items.map(({ version, note }) => ({ value: versionSide(version), label: `Version ${version}`, hint: note ?? undefined })),
        { value: DRAFT, label: "Edited config", hint: "A draft, kept nowhere" },
      ]}
    />
  );
}
