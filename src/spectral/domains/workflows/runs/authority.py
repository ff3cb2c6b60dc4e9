"""Who may do what to a run: a port, so that other APIs over the same runs can bring rules of their own."""

from enum import StrEnum
from typing import Protocol

from spectral.domains.workflows.errors import PlatformRunError
from spectral.domains.workflows.execution.launching import PLATFORM_ADAPTERS
from spectral.domains.workflows.models import WorkflowRun
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.refusals import StepUpRequiredError
from spectral.platform.access.scopes import Scope


class RunAct(StrEnum):
    """What somebody wants to do."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    TERMINATE = "terminate"
    SIGNAL = "signal"
    ANSWER = "answer"
    FORK = "fork"
    REPLAY = "replay"
    DELETE = "delete"


class RunAuthority(Protocol):
    """Decides, in the transaction that does it and before anything is written."""

    async def authorize(self, act: RunAct, run: WorkflowRun | None) -> None:
        """Raises ForbiddenError (403) unless the caller may do this. run: None where it is to be started."""


class ScopedAuthority:
    """What the scopes say: answering a question takes `approve:agents`, everything else `write:workspace`.

    needs_step_up: the caller has a second factor and has not shown it lately; questions are then not answered.
    """

    def __init__(self, access: WorkspaceAccess, *, needs_step_up: bool = False) -> None:
        self._access = access
        self._needs_step_up = needs_step_up

    @classmethod
    def of(cls, principal: Principal, access: WorkspaceAccess) -> "ScopedAuthority":
        """The authority of whoever sent a request."""
        return cls(access, needs_step_up=principal.needs_step_up)

    async def authorize(self, act: RunAct, run: WorkflowRun | None) -> None:
        """Raises ForbiddenError, StepUpRequiredError, and PlatformRunError for what goes another way."""
        if run is not None and run.adapter in PLATFORM_ADAPTERS and act is not RunAct.TERMINATE:
            raise PlatformRunError(run.adapter)
        if act is not RunAct.ANSWER:
            self._access.require(Scope.WRITE_WORKSPACE)
            return
        self._access.require(Scope.APPROVE_AGENTS)
        if self._needs_step_up:
            raise StepUpRequiredError
