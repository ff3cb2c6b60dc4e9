"""A door to models over the network, without a database: credentials from a dictionary, records in a list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import ModelMessage, ModelRequest
from spectral.platform.llm.catalogue import ModelCatalogue, ModelSettings
from spectral.platform.llm.credentials import Credential, ProviderKind
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.health import ModelHealth
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.llm.prices import Prices
from spectral.platform.llm.records import CallRecord
from spectral.platform.llm.remote.clients import Clients
from spectral.platform.llm.remote.provider import RemoteModels
from spectral.platform.outbound import OutboundCalls
from spectral.settings import Settings
from tests.fixtures.model_stub import ModelStub

KEY = "sk-the-customers-own-key"
ACCESS = WorkspaceAccess.for_system(UUID(int=1), UUID(int=2), "test")
OTHER = WorkspaceAccess.for_system(UUID(int=3), UUID(int=4), "test")


@dataclass
class Bench:
    """A door with what stands behind it."""

    stub: ModelStub
    records: list[CallRecord] = field(default_factory=list)
    settings: dict[str, ModelSettings] = field(default_factory=dict)
    timeout_s: float = 10.0
    admitted: bool = True
    access: WorkspaceAccess = ACCESS

    def __post_init__(self) -> None:
        urls = {"openai": self.stub.openai_url, "anthropic": self.stub.anthropic_url, "mine": self.stub.openai_url}
        kinds = {"mine": ProviderKind.OPENAI_COMPATIBLE}
        self.known: dict[str, Credential] = {
            prefix: Credential(UUID(int=place), kinds.get(prefix) or ProviderKind(prefix), prefix, url, KEY, "1")
            for place, (prefix, url) in enumerate(urls.items())
        }
        settings = Settings(_env_file=None, secret_keys=(SecretStr("x" * 32),))
        admitted = settings.networks_for_workspaces if self.admitted else ()
        self.catalogue = ModelCatalogue(self._read_settings)
        self.remote = RemoteModels(
            self,
            Clients(OutboundCalls(settings), admitted, self.timeout_s),
            Prices(self.catalogue),
            self,
            timeout_s=self.timeout_s,
        )
        self.door = ModelDoor([LocalProvider()], remote=self.remote, catalogue=self.catalogue)

    async def credentials(self, access: WorkspaceAccess) -> Mapping[str, Credential]:
        return self.known if access == self.access else {}

    async def record(self, call: CallRecord) -> None:
        self.records.append(call)

    async def close(self) -> None:
        """The log's: nothing waits."""

    def health_of(self, model: str) -> ModelHealth:
        """How a model that was called has behaved."""
        (found,) = [health for health in self.door.health() if health.model == model]
        return found

    async def _read_settings(self) -> Mapping[str, ModelSettings]:
        return dict(self.settings)


def ask(model: str, text: str = "hello", *, access: WorkspaceAccess | None = ACCESS, **parameters: Any) -> ModelRequest:
    messages = [ModelMessage("system", "Be brief."), ModelMessage("user", text)]
    return ModelRequest(model, messages, parameters, 7, access=access, purpose="judge", subject="scan:1")
