"""What can be wrong with a workflow or a run, as callers see it."""

from typing import Any

from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ConflictError,
    FieldError,
    NotFoundError,
    SpectralError,
    ValidationFailedError,
)


class DuplicateRunError(ConflictError):
    """The workspace has a run of this name already."""

    slug = "duplicate-run"
    title = "Duplicate Run"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a run {name} already", run_id=name)


class SignalConflictError(ConflictError):
    """Another signal was sent to the run under this id."""

    slug = "signal-conflict"
    title = "Signal Conflict"

    def __init__(self, signal_id: str) -> None:
        super().__init__(f"Another signal was sent to the run as {signal_id}", signal_id=signal_id)


class SignalBufferFullError(ConflictError):
    """Nothing in the run takes the signals that were sent to it, and it keeps only so many."""

    slug = "signal-buffer-full"
    title = "Signal Buffer Full"

    def __init__(self, kept: int) -> None:
        super().__init__(f"The run keeps {kept} signals that nothing has taken yet, and no more", kept=kept)


class InterruptSettledError(ConflictError):
    """The question has its answer, or is not asked any more."""

    slug = "interrupt-settled"
    title = "Interrupt Settled"

    def __init__(self, detail: str, status: str) -> None:
        super().__init__(detail, interrupt_status=status)


class NothingSuspendedError(BusinessRuleViolationError):
    """No step of the run waits for the data that was sent, or it is not clear which."""

    slug = "nothing-suspended"
    title = "Nothing Suspended"

    def __init__(self, detail: str, steps: list[str]) -> None:
        super().__init__(detail, suspended_steps=steps)


class UnknownCheckpointError(NotFoundError):
    """The run has no checkpoint of this index."""

    def __init__(self, index: int, first: int, last: int) -> None:
        super().__init__("Checkpoint", f"{index} of this run, which has {first} to {last},", first=first, last=last)


class UnknownStepError(NotFoundError):
    """The run has no step of this key."""

    def __init__(self, key: str, steps: list[str]) -> None:
        known = ", ".join(steps) or "none"
        super().__init__("Step", f"{key} of this run, which has {known},", steps=steps)


class StepNotBegunError(BusinessRuleViolationError):
    """The run never came to this step, so there is no moment to begin from."""

    slug = "step-not-begun"
    title = "Step Not Begun"


class TaskLeaseLostError(ConflictError):
    """The task was leased to somebody else since, or has ended: what this token's holder did counts for nothing."""

    slug = "task-lease-lost"
    title = "Task Lease Lost"

    def __init__(self, task_id: object) -> None:
        super().__init__(f"This token does not hold the lease of task {task_id}")


class TaskAnsweredError(ConflictError):
    """The task has another result already, under the same token."""

    slug = "task-answered"
    title = "Task Answered"

    def __init__(self, task_id: object) -> None:
        super().__init__(f"Task {task_id} has another result already")


class TaskCancelledError(SpectralError):
    """Nobody waits for the task any more: its run was terminated, restarted, or went another way."""

    status = 410
    slug = "task-cancelled"
    title = "Task Cancelled"

    def __init__(self, task_id: object) -> None:
        super().__init__(f"Task {task_id} was cancelled")


class RemoteQueueFullError(BusinessRuleViolationError):
    """The workspace has as many open remote tasks as it may have."""

    slug = "remote-queue-full"
    title = "Remote Queue Full"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The workspace has {limit} remote tasks that have not ended, and may have no more", limit=limit
        )


class InvalidRemoteTaskError(BusinessRuleViolationError):
    """What a runner was to be given cannot be put into a queue."""

    slug = "invalid-remote-task"
    title = "Invalid Remote Task"


class InvalidInputsError(ValidationFailedError):
    """The inputs are not what the workflow's schema asks for; `errors` names every wrong place."""

    slug = "invalid-inputs"
    title = "Invalid Inputs"


class InvalidDefinitionError(ValidationFailedError):
    """The document does not compile; `errors` are `{pointer, detail, line, column, code}`, in the order of the text."""

    slug = "invalid-definition"
    title = "Invalid Definition"

    def __init__(self, detail: str, errors: list[dict[str, Any]], warnings: list[dict[str, Any]]) -> None:
        fields = [FieldError(error["pointer"], error["detail"]) for error in errors]
        super().__init__(detail, fields)
        # Where each mistake stands in the text is said too, which other problems cannot.
        self.extensions |= {"errors": errors, "warnings": warnings}


class DuplicateWorkflowError(ConflictError):
    """The workspace has a workflow of this name already."""

    slug = "duplicate-workflow"
    title = "Duplicate Workflow"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a workflow {name} already; PUT gives it a new version", name=name)


class ReadOnlyWorkflowError(BusinessRuleViolationError):
    """The workflow is read from the server's folder, and changes only there."""

    slug = "read-only-workflow"
    title = "Read-only Workflow"

    def __init__(self, name: str) -> None:
        super().__init__(f"The workflow {name} is read from a folder of the server and changes only there", name=name)


class TicksDisabledError(BusinessRuleViolationError):
    """This installation's runs execute by themselves; nobody drives them."""

    slug = "ticks-disabled"
    title = "Ticks Disabled"

    def __init__(self) -> None:
        super().__init__("Ticks are off in this installation: SPECTRAL_ENGINE_TICKS turns them on")


class PlatformRunError(BusinessRuleViolationError):
    """The run is the platform's own work, and goes with what it does."""

    slug = "platform-run"
    title = "Run Of The Platform"

    def __init__(self, adapter: str) -> None:
        super().__init__(f"This run belongs to a {adapter}; act on that instead", adapter=adapter)
