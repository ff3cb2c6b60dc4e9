"""What executes agents."""

from spectral.domains.agents.http_runtime import HttpRuntimes
from spectral.domains.agents.runtime import HTTP, PROMPT, RUNNER, WORKFLOW, PromptRuntimes
from spectral.domains.agents.runtimes import InstalledRuntimes, installed_runtimes
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.remote.evaluations import RunnerRuntimes
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.runs.agent_runtime import WorkflowRuntimes
from spectral.domains.workflows.settings.networks import WorkspaceNetworks
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.llm.door import ModelDoor
from spectral.platform.outbound import OutboundCalls
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings


def agent_runtimes(
    settings: Settings,
    database: Database,
    door: ModelDoor,
    live: LiveChannel,
    launcher: Launcher,
    queue: RemoteQueue,
    box: SecretBox,
) -> InstalledRuntimes:
    """Ours, and those that packages bring.  box: of the secrets that posts to agents are signed with."""
    networks = WorkspaceNetworks(database, settings.networks_for_workspaces)
    return InstalledRuntimes(
        {
            **installed_runtimes(),
            PROMPT: PromptRuntimes(door),
            WORKFLOW: WorkflowRuntimes(database, live, launcher),
            HTTP: HttpRuntimes(OutboundCalls(settings), box, networks),
            RUNNER: RunnerRuntimes(database, live, queue),
        }
    )
