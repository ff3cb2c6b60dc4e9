"""What a workspace can call, and with which keys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.inference.credentials import StoredCredentials
from spectral.domains.inference.errors import CredentialExistsError
from spectral.domains.inference.models import ProviderCredential
from spectral.domains.inference.repository import CallFilter, CredentialRepository, ModelCallRepository, ModelUsage
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.keyset import Listing
from spectral.platform.db.session import Database, after_commit
from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelMessage, ModelRequest
from spectral.platform.llm.catalogue import ModelCatalogue
from spectral.platform.llm.credentials import ProviderKind
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import UnknownModelError
from spectral.platform.llm.prices import TABLED, ListPrice
from spectral.platform.llm.pricing import tabled_models
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError, FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.secret_box import SecretBox

MAXIMUM_CREDENTIALS: Final = 50
PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CHECK_TOKENS: Final = 16
SHORTEST_SHOWN: Final = 8
USED_LATELY: Final = timedelta(days=30)
ERROR_MAXIMUM: Final = 600


@dataclass(frozen=True, slots=True)
class CallableModel:
    """A model that the workspace can name. price: None where it is not known."""

    info: ModelInfo
    price: ListPrice | None
    embeddings_only: bool
    callable: bool


@dataclass(frozen=True, slots=True)
class CredentialCheck:
    """What came of a check."""

    ok: bool
    error: str | None
    latency_ms: float
    models: Sequence[str]
    cost_nano_usd: int | None


class CredentialService:
    """The credentials of one workspace, in the caller's transaction."""

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, box: SecretBox, stored: StoredCredentials
    ) -> None:
        self._session = session
        self._access = access
        self._box = box
        self._stored = stored
        self._credentials = CredentialRepository(session, access)

    async def list_credentials(self, page: Page) -> tuple[Sequence[ProviderCredential], int]:
        """One page, by name."""
        return await self._credentials.page(self._credentials.select(), page, order_by=(ProviderCredential.name,))

    async def read_credential(self, credential_id: UUID) -> ProviderCredential:
        """Raises NotFoundError."""
        return await self._credentials.get(credential_id)

    async def create_credential(
        self, name: str, provider: ProviderKind, base_url: str | None, api_key: str
    ) -> ProviderCredential:
        """Calls that begin after the commit use it.

        Raises CredentialExistsError (409), ValidationFailedError (422), BusinessRuleViolationError for one too many.
        """
        if await self._credentials.count() >= MAXIMUM_CREDENTIALS:
            raise BusinessRuleViolationError(f"A workspace has at most {MAXIMUM_CREDENTIALS} credentials")
        prefix = _prefix(name, provider)
        credential = self._credentials.add(
            ProviderCredential(
                name=name,
                prefix=prefix,
                provider=provider.value,
                base_url=None if base_url is None else _checked_url(base_url),
                created_by=self._access.actor,
            )
        )
        self._seal(credential, api_key)
        await self._flush(name, prefix)
        await self._note(credential, "provider_credential.created", _told(credential))
        return credential

    async def update_credential(
        self, credential_id: UUID, *, name: str | None, base_url: str | None, api_key: str | None
    ) -> ProviderCredential:
        """What is None stays. Raises NotFoundError, and as `create_credential`.

        A new address needs the key again: whoever may change addresses must not send a key that they do not know to
        an address of their own.
        """
        credential = await self._credentials.get(credential_id)
        before = _told(credential)
        if name is not None and name != credential.name:
            if credential.provider == ProviderKind.OPENAI_COMPATIBLE:
                problem = FieldError("/name", "stands in the names of its models and cannot change")
                raise ValidationFailedError("The request failed validation", [problem])
            credential.name = name
        if base_url is not None and (checked := _checked_url(base_url)) != credential.base_url:
            if api_key is None:
                problem = FieldError("/api_key", "is needed again for another base_url")
                raise ValidationFailedError("The request failed validation", [problem])
            credential.base_url = checked
        credential.updated_at = utc_now()
        if api_key is not None:
            self._seal(credential, api_key)
        await self._flush(credential.name, credential.prefix)
        detail = {"before": before, "after": _told(credential), "key_replaced": api_key is not None}
        await self._note(credential, "provider_credential.changed", detail)
        return credential

    async def delete_credential(self, credential_id: UUID) -> None:
        """Calls that would need it fail from now on. Raises NotFoundError."""
        credential = await self._credentials.get(credential_id)
        await self._credentials.remove(credential)
        await self._note(credential, "provider_credential.deleted", _told(credential))

    def _seal(self, credential: ProviderCredential, api_key: str) -> None:
        credential.api_key = self._box.seal(api_key)
        # The end of a short key would be half of it and more.
        credential.last_four = api_key[-4:] if len(api_key) >= SHORTEST_SHOWN else ""
        credential.updated_at = utc_now()
        credential.checked_at = credential.check_error = None

    async def _flush(self, name: str, prefix: str) -> None:
        taken = {
            "uq_provider_credential_workspace_id_name": CredentialExistsError(f"named {name!r}"),
            "uq_provider_credential_workspace_id_prefix": CredentialExistsError(f"for {prefix}"),
        }
        await self._credentials.flush(taken)

    async def _note(self, credential: ProviderCredential, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"provider_credential:{credential.id}",
            detail=detail,
        )
        workspace_id, stored = self._access.workspace_id, self._stored

        async def forget() -> None:
            stored.forget(workspace_id)

        after_commit(self._session, forget)


class CredentialChecker:
    """Tries a credential out, with no transaction open meanwhile."""

    def __init__(self, database: Database, access: WorkspaceAccess, door: ModelDoor, stored: StoredCredentials) -> None:
        self._database = database
        self._access = access
        self._door = door
        self._stored = stored

    async def check(self, credential_id: UUID, model: str | None) -> CredentialCheck:
        """One completion of a few tokens where a model is named, else the free list of models. Raises NotFoundError."""
        async with self._database.transaction(self._access, read_only=True) as session:
            prefix = (await CredentialRepository(session, self._access).get(credential_id)).prefix
        self._stored.forget(self._access.workspace_id)
        started = perf_counter()
        if model is None:
            found: Sequence[str] | ModelFault = await self._door.list_provider_models(self._access, prefix)
            cost: int | None = 0
        else:
            found, cost = await self._complete(f"{prefix}/{model}")
        latency_ms = 1000 * (perf_counter() - started)
        error = found.message[:ERROR_MAXIMUM] if isinstance(found, ModelFault) else None
        async with self._database.transaction(self._access) as session:
            credentials = CredentialRepository(session, self._access)
            # It may have been deleted meanwhile; then there is nothing to be said about it.
            values = {"checked_at": utc_now(), "check_error": error}
            await credentials.execute(credentials.update(ProviderCredential.id == credential_id).values(values))
        return CredentialCheck(error is None, error, latency_ms, [] if isinstance(found, ModelFault) else found, cost)

    async def _complete(self, model: str) -> tuple[Sequence[str] | ModelFault, int | None]:
        messages = [ModelMessage("user", "Answer with the word yes.")]
        parameters = {"max_tokens": CHECK_TOKENS}
        request = ModelRequest(model, messages, parameters, access=self._access, purpose="check")
        (outcome,) = await self._door.complete_many([request])
        return (outcome if isinstance(outcome, ModelFault) else []), outcome.cost_nano_usd


class ModelService:
    """The models that a workspace can name, and the calls that it made."""

    def __init__(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        door: ModelDoor,
        catalogue: ModelCatalogue,
        stored: StoredCredentials,
    ) -> None:
        self._session = session
        self._access = access
        self._door = door
        self._catalogue = catalogue
        self._stored = stored
        self._calls = ModelCallRepository(session, access)

    async def list_models(self, *, provider: str | None, only_callable: bool) -> list[CallableModel]:
        """Models to choose from, by name; others can be called too.

        The built-in ones; of OpenAI and Anthropic those that have a known price; those that the operations staff has
        set up; and those that answered in the last 30 days. Of other workspaces' endpoints nothing is listed.
        """
        await self._catalogue.fresh()
        prefixes = set(await self._stored.credentials(self._access))
        built_in = {info.name for info in self._door.built_in()}
        embedders = built_in - {info.name for info in self._door.catalogue()}
        names = built_in | {f"{one}/{model}" for one in TABLED for model in tabled_models(one)}
        names |= set(self._catalogue.listed())
        names |= set(await self._calls.models_answered(utc_now() - USED_LATELY))
        found = []
        for name in sorted(names):
            try:
                info = self._door.read_model(name)
            except UnknownModelError:
                continue
            has_key = name in built_in or info.provider in prefixes
            known = has_key or info.provider in TABLED
            if known and (has_key or not only_callable) and provider in {None, info.provider}:
                found.append(CallableModel(info, self._door.list_price(name), name in embedders, has_key))
        return found

    async def list_calls(self, wanted: CallFilter, page: Page, cursor: str | None) -> Listing:
        """One page of calls, the latest first."""
        return await self._calls.list_calls(wanted, page, cursor)

    async def usage(self, wanted: CallFilter) -> list[ModelUsage]:
        """Sums by model and purpose, the dearest first."""
        return await self._calls.usage(wanted)


def _prefix(name: str, provider: ProviderKind) -> str:
    if provider is not ProviderKind.OPENAI_COMPATIBLE:
        return provider.value
    detail = None
    if PREFIX.fullmatch(name) is None:
        detail = "must be lower-case letters, digits, '.', '_' and '-', a letter or digit first: it names models"
    elif name in TABLED or name.startswith("spectral-local"):
        detail = f"{name} is the name of another provider"
    if detail is not None:
        raise ValidationFailedError("The request failed validation", [FieldError("/name", detail)])
    return name


def _checked_url(text: str) -> str:
    """The address without a slash at its end. Whether it may be called is checked at each call, once it is resolved.

    Raises ValidationFailedError.
    """
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if (
        not usable
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or not text.isascii()
        or set(text) & set(" \\")
    ):
        detail = "must be an http or https address without user, ? and #"
        raise ValidationFailedError("The request failed validation", [FieldError("/base_url", detail)])
    return text.rstrip("/")


def _told(credential: ProviderCredential) -> dict[str, Any]:
    return {"name": credential.name, "provider": credential.provider, "base_url": credential.base_url}
