"""The catalogue of models as the operations staff keeps it: tier, price, switched on or off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.operations.models import NAME_MAXIMUM, ModelConfig
from spectral.platform import audit
from spectral.platform.access.principal import Principal
from spectral.platform.db.session import Database, after_commit
from spectral.platform.llm.calls import ModelInfo, ModelMessage, ModelRequest
from spectral.platform.llm.catalogue import ModelCatalogue, ModelSettings
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import UnknownModelError
from spectral.platform.llm.health import ModelHealth
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, NotFoundError, ValidationFailedError
from spectral.platform.shared.money import nano_to_usd

PROBE = "Label: yes\nLabel: no\nIs this a question?"


@dataclass(frozen=True, slots=True)
class ConfiguredModel:
    """A model with what the staff said of it. updated_*: None where nobody has said anything."""

    info: ModelInfo
    settings: ModelSettings
    updated_at: datetime | None
    updated_by: str | None


async def read_model_settings(database: Database) -> Mapping[str, ModelSettings]:
    """Everything that the staff has said, by model; for the catalogue of each process."""
    async with database.transaction(read_only=True) as session:
        rows = (await session.scalars(sa.select(ModelConfig))).all()
    return {row.name: _settings(row) for row in rows}


class ModelConfigService:
    """What the staff says of models, in the caller's transaction."""

    def __init__(self, session: AsyncSession, door: ModelDoor, catalogue: ModelCatalogue) -> None:
        self._session = session
        self._door = door
        self._catalogue = catalogue

    async def list_models(self) -> list[ConfiguredModel]:
        """The models of this installation and all that something was said of, by name."""
        rows = {row.name: row for row in (await self._session.scalars(sa.select(ModelConfig))).all()}
        infos = {info.name: info for info in self._door.built_in()}
        infos |= {name: self._door.describe(name) for name in rows if name not in infos}
        return [_configured(infos[name], rows.get(name)) for name in sorted(infos)]

    async def read_model(self, name: str) -> ConfiguredModel:
        """Of a model over the network also where nothing was said of it. Raises NotFoundError for what is no name."""
        return _configured(self._describe(name), await self._session.get(ModelConfig, name))

    async def set_model(self, staff: Principal, name: str, wanted: ModelSettings) -> ConfiguredModel:
        """Holds in every process within a few seconds of the commit, on the staff's own audit log.

        Raises NotFoundError for what is no name, ValidationFailedError for half a price.
        """
        info = self._describe(name)
        if (wanted.input_price is None) != (wanted.output_price is None):
            missing = "/input_price_usd" if wanted.input_price is None else "/output_price_usd"
            problem = FieldError(missing, "is needed with its counterpart: half a price is none")
            raise ValidationFailedError("The request failed validation", [problem])
        row = await self._session.get(ModelConfig, name)
        before = None if row is None else _told(_settings(row))
        if row is None:
            row = ModelConfig(name=name)
            self._session.add(row)
        row.tier, row.enabled = wanted.tier, wanted.enabled
        row.input_price, row.output_price = wanted.input_price, wanted.output_price
        row.updated_at, row.updated_by = utc_now(), staff.actor
        await self._session.flush()
        if staff.account_id is not None:
            await audit.record(
                self._session,
                account_id=staff.account_id,
                actor=staff.actor,
                action="model_config.set",
                subject=f"model:{name}"[:200],
                detail={"model": name, "before": before, "after": _told(wanted)},
            )
        after_commit(self._session, partial(_forget, self._catalogue))
        return _configured(info, row)

    def _describe(self, name: str) -> ModelInfo:
        if len(name) > NAME_MAXIMUM or not name.isprintable():
            raise NotFoundError("Model", name[:NAME_MAXIMUM])
        try:
            return self._door.describe(name)
        except UnknownModelError as error:
            raise NotFoundError("Model", name) from error


async def check_models(door: ModelDoor) -> list[ModelHealth]:
    """How models behave after one more call of each that runs in this process.

    Models over the network are called with workspaces' keys, and only on behalf of a workspace: of them it is what
    their latest calls have shown.
    """
    messages = [ModelMessage("user", PROBE)]
    for info in door.catalogue():
        await door.complete_many([ModelRequest(info.name, messages, purpose="check")])
    return door.health()


async def _forget(catalogue: ModelCatalogue) -> None:
    catalogue.forget()


def _settings(row: ModelConfig) -> ModelSettings:
    return ModelSettings(row.tier, row.input_price, row.output_price, row.enabled)


def _configured(info: ModelInfo, row: ModelConfig | None) -> ConfiguredModel:
    if row is None:
        return ConfiguredModel(info, ModelSettings(), None, None)
    return ConfiguredModel(info, _settings(row), row.updated_at, row.updated_by)


def _told(settings: ModelSettings) -> dict[str, object]:
    prices = {"input_price_usd": settings.input_price, "output_price_usd": settings.output_price}
    told = {name: None if price is None else nano_to_usd(price) for name, price in prices.items()}
    return {"tier": settings.tier, "enabled": settings.enabled, **told}
