"""The client of a process that runs agents, or does work for workflows; needs httpx and nothing of the server.

    from spectral.client import SpectralClient

What is named here is what may be relied on: unlike the server's packages this one is imported by others' code.
"""

from spectral.client.arms import Arm
from spectral.client.client import Agent, SpectralClient
from spectral.client.config import AgentConfig
from spectral.client.errors import NotConfiguredError, RefusedError, SpectralClientError, UnavailableError
from spectral.client.runner import Progress, RunnerSession
from spectral.client.tasks import TaskContext, TaskFailed, current_task
from spectral.client.tracing import TaskMarks

__all__ = [
    "Agent",
    "AgentConfig",
    "Arm",
    "NotConfiguredError",
    "Progress",
    "RefusedError",
    "RunnerSession",
    "SpectralClient",
    "SpectralClientError",
    "TaskContext",
    "TaskFailed",
    "TaskMarks",
    "UnavailableError",
    "current_task",
]
