"""What the platform has to know of an agent to execute it: one shape for each runtime."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, ValidationError

from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.json_values import STORABLE, pointer_of
from spectral.domains.agents.models import OBSERVED, Agent
from spectral.domains.agents.runtime import HTTP, PROMPT, RUNNER, WORKFLOW
from spectral.domains.agents.runtimes import installed_runtimes
from spectral.platform.outbound import EVERYWHERE
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.money import UsdAmountIn, nano_to_usd
from spectral.platform.webhooks.targets import check_url

PLACE = "/runtime_settings"

SideEffects = Annotated[
    Literal["none", "sandboxed"],
    Field(
        description="What executing the agent does to the world: nothing, or only inside of a sandbox. "
        "Evaluations execute it thousands of times, so a scan asks for this once."
    ),
]
InFlight = Annotated[int, Field(ge=1, le=256, description="How many executions it is given at once.")]
MaximumCost = Annotated[UsdAmountIn, PlainSerializer(nano_to_usd, return_type=str, when_used="json")]


def _web_address(url: str) -> str:
    try:
        # Whether its address may be called is seen when it is called: names lead elsewhere tomorrow.
        return check_url(url, https_only=False, allowed=EVERYWHERE)
    except ValidationFailedError as error:
        raise ValueError(error.errors[0].detail) from None


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PromptSettings(_Settings):
    """The platform renders the prompt and calls the model.

    replica: the config is a reconstruction of an agent that really runs elsewhere, known by its traces only.
    """

    replica: bool = False


class WorkflowSettings(_Settings):
    """A workflow of the workspace is the agent. version: None takes the latest one."""

    workflow: Annotated[str, StringConstraints(min_length=1, max_length=128), STORABLE]
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    in_flight: InFlight = 8
    timeout_s: float = Field(default=600.0, ge=1, le=86_400, allow_inf_nan=False)


class HttpSettings(_Settings):
    """The platform posts to an address of the customer. timeout_s: for one request with its answer.

    max_cost_usd: the most that one execution costs there, for budgets in money.
    """

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000), STORABLE, AfterValidator(_web_address)]
    timeout_s: float = Field(default=60.0, ge=1, le=600, allow_inf_nan=False)
    in_flight: InFlight = 8
    max_cost_usd: MaximumCost | None = None
    side_effects: SideEffects | None = None


class RunnerSettings(_Settings):
    """Processes of the customer fetch the work.

    lease_s: how long a task is a runner's without a heartbeat.  timeout_s: how long an execution may take with all its
    leases, and with the time in which no runner asked for it.  max_attempts: how often a task is leased at most.
    max_cost_usd: the most that one execution may cost, which the runner is told.
    """

    in_flight: InFlight = 64
    lease_s: float = Field(default=60.0, ge=1, le=3600, allow_inf_nan=False)
    timeout_s: float = Field(default=900.0, ge=1, le=86_400, allow_inf_nan=False)
    max_attempts: int = Field(default=3, ge=1, le=20)
    max_cost_usd: MaximumCost | None = None
    side_effects: SideEffects | None = None


class ObservedSettings(_Settings):
    """Only traces are seen of it: there is nothing to say."""


_SHAPES: Mapping[str, type[BaseModel]] = {
    PROMPT: PromptSettings,
    WORKFLOW: WorkflowSettings,
    HTTP: HttpSettings,
    RUNNER: RunnerSettings,
    OBSERVED: ObservedSettings,
}


def runtime_names() -> list[str]:
    """Every runtime that an agent of this installation may have."""
    return [*_SHAPES, *(name for name in installed_runtimes() if name not in _SHAPES)]


def checked_settings(runtime: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are stored, with defaults filled in.

    Raises ValidationFailedError (422) that names every wrong place: an unknown runtime, or settings of another one.
    """
    shape = _SHAPES.get(runtime)
    if shape is None:
        brought = installed_runtimes().get(runtime)
        if brought is None:
            detail = f"is not a runtime of this installation; there are {', '.join(runtime_names())}"
            raise ValidationFailedError("The request failed validation", [FieldError("/runtime", detail)])
        shape = brought.settings
    try:
        return shape.model_validate(dict(given)).model_dump(mode="json")
    except ValidationError as error:
        wrong = [
            FieldError(PLACE + pointer_of(each["loc"]), each["msg"])
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise ValidationFailedError("The request failed validation", wrong) from error


def workflow_settings(agent: Agent) -> WorkflowSettings:
    """Of an agent with the runtime `workflow`."""
    return WorkflowSettings.model_validate(agent.runtime_settings)


def http_settings(agent: Agent) -> HttpSettings:
    """Of an agent with the runtime `http`."""
    return HttpSettings.model_validate(agent.runtime_settings)


def runner_settings(agent: Agent) -> RunnerSettings:
    """Of an agent with the runtime `runner`."""
    return RunnerSettings.model_validate(agent.runtime_settings)


def is_replica(agent: Agent) -> bool:
    """Whether the platform executes a reconstruction in the place of the agent."""
    return agent.runtime == PROMPT and bool(agent.runtime_settings.get("replica"))


def execution_of(agent: Agent) -> str:
    """How executions of the agent are called in evidence: `native`, `runner` (code of the customer) or `replica`."""
    if is_replica(agent):
        return "replica"
    return "native" if agent.runtime in {PROMPT, WORKFLOW} else "runner"


def require_side_effects(agent: Agent, said: str | None) -> None:
    """Raises NotExecutableError (400) until somebody has said what executing the agent does to the world."""
    if said is None:
        raise NotExecutableError(
            f"Evaluations would execute the agent {agent.name} thousands of times, and nobody has said what that does "
            f"to the world: set runtime_settings.side_effects to 'none' or 'sandboxed'",
            pointer=f"{PLACE}/side_effects",
        )
