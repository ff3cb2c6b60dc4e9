"""The door to models with everything behind it."""

from functools import partial

from spectral.domains.inference.calls import CallJournal
from spectral.domains.inference.credentials import StoredCredentials
from spectral.domains.inference.models import CREDENTIAL_PURPOSE
from spectral.domains.inference.retention import INTERVAL_S, SCHEDULE, ModelCallRetention
from spectral.domains.operations.model_service import read_model_settings
from spectral.domains.traces.lifecycle.retention import workspaces
from spectral.platform.engine.engine import Engine
from spectral.platform.llm.catalogue import ModelCatalogue
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.llm.prices import Prices
from spectral.platform.llm.remote.clients import Clients
from spectral.platform.llm.remote.provider import RemoteModels
from spectral.platform.outbound import OutboundCalls
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings
from spectral.wiring.databases import Databases


class Models:
    """The built-in models, those over the network, what the staff says of them, and who pays."""

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._settings = settings
        self._databases = databases
        self.credential_box = SecretBox(settings.secrets, CREDENTIAL_PURPOSE)
        self.credentials = StoredCredentials(databases.application, self.credential_box)
        self.catalogue = ModelCatalogue(partial(read_model_settings, databases.application))
        remote = RemoteModels(
            self.credentials,
            Clients(OutboundCalls(settings), settings.networks_for_workspaces, settings.model_timeout_s),
            Prices(self.catalogue),
            CallJournal(databases.application),
            timeout_s=settings.model_timeout_s,
        )
        self.door = ModelDoor([LocalProvider()], remote=remote, catalogue=self.catalogue)

    def schedule(self, engine: Engine) -> None:
        """What is due at intervals."""
        every_workspace = partial(workspaces, self._databases.identity, SCHEDULE)
        days = self._settings.model_call_retention_days
        engine.every(SCHEDULE, INTERVAL_S, ModelCallRetention(self._databases.application, every_workspace, days).run)
