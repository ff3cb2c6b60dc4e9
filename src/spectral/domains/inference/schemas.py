"""The wire shapes of inference."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from spectral.domains.inference.models import NAME_MAXIMUM
from spectral.platform.llm.credentials import ProviderKind
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.money import UsdAmount
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAXIMUM)]
BaseUrl = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class _Key(WireIn):
    """A key that is sent and never shown."""

    @field_validator("api_key", check_fields=False)
    @classmethod
    def printable(cls, value: SecretStr | None) -> SecretStr | None:
        """It becomes a header."""
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            message = "must be printable ASCII without line breaks"
            raise ValueError(message)
        return value


class CredentialIn(_Key):
    """A key of the workspace for a provider.

    An OpenAI-compatible endpoint needs its base URL, and its name stands before the slash in the names of its models.
    """

    name: Name
    provider: ProviderKind
    base_url: BaseUrl | None = None
    api_key: SecretStr = Field(min_length=1, max_length=4000)

    @model_validator(mode="after")
    def endpoint_is_named(self) -> Self:
        """Nobody knows where a compatible endpoint is but who brings it."""
        if self.provider is ProviderKind.OPENAI_COMPATIBLE and self.base_url is None:
            message = "base_url is needed for openai_compatible"
            raise ValueError(message)
        return self


class CredentialPatch(_Key):
    """What changes of a credential; what is left out stays. The name of a compatible endpoint cannot change."""

    name: Name | None = None
    base_url: BaseUrl | None = None
    api_key: SecretStr | None = Field(default=None, min_length=1, max_length=4000)


class CredentialOut(WireOut):
    """A credential without its key. `prefix` stands before the slash in the names of its models."""

    id: UUID
    name: str
    provider: ProviderKind
    prefix: str
    base_url: str | None = Field(description="Null for the provider's own.")
    last_four: str = Field(description="The end of the key, to tell one from another.")
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    checked_at: Timestamp | None
    check_error: str | None = Field(description="What went wrong at the last check; null where nothing did.")


class CredentialCheckIn(WireIn):
    """How to check: by a completion of a few tokens where a model is named, else by listing models, which is free."""

    model: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = Field(
        default=None, description="The provider's own name of it, without the credential's before a slash."
    )


class CredentialCheckOut(WireOut):
    """What came of a check. `models`: names that the provider serves, where they were listed."""

    ok: bool
    error: str | None
    latency_ms: float
    models: list[str]
    cost_usd: UsdAmount | None = Field(description="Null where it is not known.")


class ModelOut(WireOut):
    """A model that the workspace can name. `label` is how it must be described wherever it is shown."""

    name: str
    provider: str
    label: str
    tier: Literal["economy", "standard", "premium"] | None
    priced: bool = Field(description="The cost of a call is known, so a budget in USD can be kept.")
    input_price_usd: UsdAmount | None = Field(description="For a million tokens; null where it is not known.")
    output_price_usd: UsdAmount | None
    deterministic: bool
    embeddings_only: bool
    callable: bool = Field(description="It needs no credential, or the workspace has one for its provider.")


class ModelCallOut(WireOut):
    """One attempt at a call over the network. Cached tokens are parts of the input, reasoning tokens of the output."""

    id: UUID
    created_at: Timestamp = Field(description="When it had ended.")
    kind: Literal["completion", "embedding"]
    purpose: str
    subject: str | None
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: UsdAmount | None = Field(validation_alias="cost_nano_usd", description="Null where it is not known.")
    latency_ms: float
    error_type: str | None = Field(description="`http_429`, `timeout`, …; null where the call was answered.")


class ModelCallList(WireOut):
    """One page of calls."""

    results: list[ModelCallOut]
    pagination: CursorPagination


class ModelUsageOut(WireOut):
    """The calls of one model for one purpose. `cost_usd` is of those whose cost is known."""

    model: str
    purpose: str
    calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: UsdAmount = Field(validation_alias="cost_nano_usd")
    unpriced_calls: int
