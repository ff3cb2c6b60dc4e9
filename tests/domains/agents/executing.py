"""What executes agents where a test has no application that does."""

from dataclasses import dataclass

from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import PROMPT, AgentRuntime, ExecutionMode, PromptRuntimes
from spectral.domains.agents.runtimes import InstalledRuntimes
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.door import ModelDoor


def runtimes_of(door: ModelDoor) -> InstalledRuntimes:
    """What executes prompt agents."""
    return InstalledRuntimes({PROMPT: PromptRuntimes(door)})


@dataclass(frozen=True)
class Always:
    """Every agent is executed by the one runtime that a test has written."""

    runtime: AgentRuntime

    def check(self, agent: Agent) -> None:
        """Whatever the agent is."""

    def of(
        self,
        access: WorkspaceAccess,
        agent: Agent,
        mode: ExecutionMode = ExecutionMode.EVALUATION,
        *,
        subject: str | None = None,
    ) -> AgentRuntime:
        """The one that there is."""
        del access, agent, mode, subject
        return self.runtime
