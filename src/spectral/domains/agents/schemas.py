"""The wire shapes of agents."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints, model_validator

from spectral.domains.agents.config import ConfigDocument, Name, PromptMessage, PromptTemplate
from spectral.domains.agents.json_values import StorableJson
from spectral.domains.agents.live import MAXIMUM_HOLDBACK
from spectral.domains.agents.repository import MAXIMUM_VERSION
from spectral.domains.agents.runtime import PROMPT, RUNNER
from spectral.domains.agents.service import PRODUCTION
from spectral.platform.shared.money import UsdAmount
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

AgentName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(max_length=2000)]
Environment = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$"),
    Field(description="Lower-case letters, digits, `-`, `_`; 32 at most.", examples=[PRODUCTION, "staging"]),
]
Version = Annotated[int, Field(ge=1, le=MAXIMUM_VERSION)]

EXAMPLE_CONFIG = {
    "prompts": {
        "main": {
            "messages": [
                {"role": "system", "content": "Sort the ticket into one of: billing, login, shipping."},
                {"role": "user", "content": "Ticket: {{text}}\nIntent:"},
            ],
            "variables": ["text"],
        }
    },
    "model": "spectral-local/small",
    "few_shot": [{"input": {"text": "I was charged twice"}, "output": "billing"}],
    "search_space": [{"pointer": "/few_shot", "kind": "examples", "bounds": {"max_items": 32}}],
}


Runtime = Annotated[
    str,
    StringConstraints(min_length=1, max_length=20),
    Field(
        description="Who executes the agent: `prompt`, `workflow`, `http`, `runner`, `observed` (nobody: only its "
        "traces are seen), or one that a package of this installation brings.",
        examples=[PROMPT, RUNNER],
    ),
]
RuntimeSettings = Annotated[
    dict[str, StorableJson],
    Field(
        max_length=50,
        description="What executing it needs. `prompt`: `{replica}`; `workflow`: `{workflow, version?, in_flight, "
        "timeout_s}`; `http`: `{url, timeout_s, in_flight, max_cost_usd?, side_effects}`; `runner`: `{in_flight, "
        "lease_s, timeout_s, max_attempts, max_cost_usd?, side_effects}`; what has a default may be left out.",
        examples=[{"in_flight": 64, "side_effects": "sandboxed"}],
    ),
]


class AgentIn(WireIn):
    """An agent to create. With a `config`, that becomes version 1 and is live in `production` at once."""

    name: AgentName
    description: LongText | None = None
    runtime: Runtime = PROMPT
    runtime_settings: RuntimeSettings | None = None
    config: Annotated[ConfigDocument, Field(examples=[EXAMPLE_CONFIG])] | None = None


class AgentPatch(WireIn):
    """What can be changed about an agent; members that are left out stay as they are."""

    name: AgentName | None = None
    description: LongText | None = None
    archived: bool | None = None
    runtime: Runtime | None = None
    runtime_settings: RuntimeSettings | None = None
    status: (
        Annotated[
            Literal["managed"], Field(description="Adopts an agent that was observed in traces; there is no way back.")
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _nothing_becomes_null(self) -> Self:
        for member in ("name", "archived", "status", "runtime", "runtime_settings"):
            if member in self.model_fields_set and getattr(self, member) is None:
                message = f"{member} cannot be null"
                raise ValueError(message)
        return self


class AgentOut(WireOut):
    """An agent. `live` says which config version is live in which environment.

    `status` is `observed` while we only see traces of it: nobody has created it, adopted it or given it a config.
    `has_secret` says whether what is posted to it (`runtime` `http`) can be signed.
    `external_key` is what its spans call it; `first_seen_at` and `last_seen_at` are to about a minute.
    """

    id: UUID
    name: str
    description: str | None
    runtime: str
    runtime_settings: dict[str, Any] = Field(examples=[{"in_flight": 64, "side_effects": "sandboxed"}])
    has_secret: bool
    status: Literal["managed", "observed"]
    origin: str = Field(description="`created` by somebody, or `observed` in traces first.", examples=["created"])
    external_key: str | None
    first_seen_at: Timestamp | None
    last_seen_at: Timestamp | None
    archived: bool
    latest_version: int | None
    live: dict[str, int] = Field(examples=[{"production": 3, "staging": 4}])
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class RuntimeSecretIn(WireIn):
    """A secret to sign with, or nothing: then one is made. It begins with `whsec_`, and Base64 follows."""

    secret: Annotated[str, StringConstraints(pattern=r"^whsec_[A-Za-z0-9+/]{32,172}={0,2}$", max_length=200)] | None = (
        None
    )


class RuntimeSecretOut(WireOut):
    """The secret that what is posted to the agent is signed with. It is shown this once."""

    secret: str


class ConfigIn(WireIn):
    """A config version to add."""

    config: ConfigDocument = Field(examples=[EXAMPLE_CONFIG])
    note: LongText | None = None


class ConfigSummaryOut(WireOut):
    """A config version without its document. `live_in` lists the environments that it is live in."""

    version: int
    config_hash: str
    origin: str
    note: str | None
    live_in: list[str]
    created_by: str
    created_at: Timestamp


class ConfigVersionOut(ConfigSummaryOut):
    """A config version."""

    agent_id: UUID
    config: dict[str, Any] = Field(examples=[EXAMPLE_CONFIG])


class ArmOut(WireOut):
    """A version that a share of the sessions gets; `config` is null where it is the answer's own."""

    version: int
    weight: float = Field(description="Above 0; the arms' weights add up to 1.", examples=[0.9])
    config_hash: str
    config: dict[str, Any] | None


class LiveConfigOut(WireOut):
    """What a running agent fetches: the config that is live in an environment.

    While a promotion keeps a holdback, `arms` lists the live version and then the one before it, and a session's arm
    follows from the SHA-256 of `salt` and its id (docs/after-promotion.md). Otherwise `arms` is empty.
    """

    agent_id: UUID
    environment: str
    version: int
    config_hash: str
    config: dict[str, Any] = Field(examples=[EXAMPLE_CONFIG])
    arms: list[ArmOut]
    salt: str | None


class ChangeOut(WireOut):
    """One place at which two versions differ; `text_diff` is a unified diff of long texts."""

    pointer: str
    operation: Literal["add", "remove", "replace"]
    before: JsonValue
    after: JsonValue
    text_diff: str | None


class ConfigDiffOut(WireOut):
    """How the second version differs from the first."""

    from_version: int
    to_version: int
    changes: list[ChangeOut]


class PromotionIn(WireIn):
    """The version to put live. An older one rolls back; what is live already becomes live for everybody."""

    version: Version
    environment: Environment = PRODUCTION
    reason: LongText | None = None
    holdback: Annotated[
        float,
        Field(
            ge=0,
            le=MAXIMUM_HOLDBACK,
            allow_inf_nan=False,
            description="The share of the sessions that keep the version before, until the next promotion.",
        ),
    ] = 0.0


class PromotionOut(WireOut):
    """One promotion; `previous_version` is what it replaced, for all but the share `holdback` of the sessions."""

    id: UUID
    agent_id: UUID
    environment: str
    version: int
    previous_version: int | None
    reason: str | None
    holdback: float | None
    actor: str
    created_at: Timestamp


class TemplateIn(PromptTemplate):
    """A managed prompt template to create. `variables` may be left out: they are read off the placeholders."""

    name: Name


class TemplateOut(WireOut):
    """A managed prompt template in one of its versions."""

    agent_id: UUID
    name: str
    version: int
    current_version: int
    messages: list[PromptMessage]
    variables: list[str]
    origin: str
    created_by: str
    created_at: Timestamp


class InvocationIn(WireIn):
    """One run of the agent: of a stored `version`, of a draft `config`, or of what is live in `environment`."""

    input: StorableJson = Field(examples=[{"text": "I was charged twice"}])
    version: Version | None = None
    config: ConfigDocument | None = None
    environment: Environment | None = None
    seed: int = Field(default=0, ge=0, le=2**53)

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum(choice is not None for choice in (self.version, self.config, self.environment)) > 1:
            message = "give at most one of version, config and environment"
            raise ValueError(message)
        return self


class InvocationErrorOut(WireOut):
    """Why there is no output."""

    type: str
    message: str


class InvocationOut(WireOut):
    """One playground run. `cost_usd` null means that the price is not known."""

    id: UUID
    agent_id: UUID
    version: int | None
    config_hash: str
    mode: str
    input: JsonValue
    output: str | None
    error: InvocationErrorOut | None
    model: str
    seed: int
    input_tokens: int
    output_tokens: int
    cost_usd: UsdAmount | None
    latency_ms: float
    started_at: Timestamp
    actor: str
