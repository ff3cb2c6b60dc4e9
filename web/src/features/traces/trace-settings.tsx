import { api } from "@/api/client";
import { useWorkspaceId } from "@/api/access";
import { ProblemNotice } from "@/components/problem-notice";
import { Panel } from "@/components/ui/panel";
import { SkeletonRows } from "@/components/ui/skeleton";
import { IngestionPanel } from "@/features/traces/ingestion-panel";
import { TraceSettingsForm } from "@/features/traces/trace-settings-form";

export function TraceSettingsPage() {
  const workspaceId = useWorkspaceId();
  const settings = api.useQuery("get", "/api/v1/workspaces/{workspace_id}/traces/settings", { params: { path: { workspace_id: workspaceId } } });
  return (
    <div className="flex flex-col gap-4">
      <IngestionPanel />
      {settings.error && !settings.data ? (
        <ProblemNotice error={settings.error} retry={() => void settings.refetch()} />
      ) : settings.data ? (
        // Somebody else's change begins the form anew.
        <TraceSettingsForm key={settings.data.version} settings={settings.data} />
      ) : (
        <Panel title="Masking and retention">
          <SkeletonRows rows={8} label="Loading the settings" />
        </Panel>
      )}
    </div>
  );
}
