"""Secrets in what a step sends: filled in at the last moment, and only where the definition itself names them."""

import re
from collections.abc import Mapping
from typing import Any

import structlog

from spectral.domains.workflows.definitions.expression_values import ExpressionError
from spectral.domains.workflows.definitions.expressions import secrets_in
from spectral.domains.workflows.models import SECRET_NAME
from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.mask import Mask
from spectral.domains.workflows.settings.repository import SecretRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.secret_box import SealBrokenError, SecretBox

PLACEHOLDER = re.compile(r"\$\{secrets\.(" + SECRET_NAME + r")\}")

log = structlog.get_logger(__name__)


class UnknownSecretError(NodeError):
    """The workspace has no secret of that name, or none that can be opened."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown-secret", f"The workspace has no secret {name}", retryable=False)


class Secrets:
    """The secrets of every workspace, opened for one step at a time. Lives as long as the process."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    async def names(self, access: WorkspaceAccess) -> frozenset[str]:
        """The names of the workspace's secrets."""
        async with self._database.transaction(access, read_only=True) as session:
            return frozenset(await SecretRepository(session, access).names())

    async def fill(self, access: WorkspaceAccess, value: Any, template: Any) -> tuple[Any, Mask]:
        """The value with the secrets in the places of `${secrets.NAME}`, and what masks them in all that is stored.

        template: the same value as the definition says it, expressions unresolved. A text of the value is filled only
        with secrets that the same text of the template names: what comes from inputs, other steps or the outside may
        hold the same letters and is sent as it is, or anybody who starts a run could read every secret.

        Raises UnknownSecretError.
        """
        wanted = _wanted(value, template)
        if not wanted:
            return value, Mask()
        async with self._database.transaction(access, read_only=True) as session:
            sealed = await SecretRepository(session, access).sealed(wanted)
        opened = {name: self._open(name, sealed.get(name)) for name in sorted(wanted)}
        return _filled(value, template, opened), Mask(opened.values())

    def _open(self, name: str, sealed: str | None) -> str:
        if sealed is None:
            raise UnknownSecretError(name)
        try:
            return self._box.open(sealed)
        except SealBrokenError as error:
            log.warning("workflow_secret_unreadable", name=name)
            raise UnknownSecretError(name) from error


def _named_in(template: Any) -> frozenset[str]:
    """The names of the secrets that the expressions in this text name; none in anything but a text."""
    if not isinstance(template, str):
        return frozenset()
    try:
        return secrets_in(template)
    except ExpressionError:
        return frozenset()


def _wanted(value: Any, template: Any) -> set[str]:
    """The names of every placeholder that will be filled."""
    if isinstance(value, str):
        return set(PLACEHOLDER.findall(value)) & _named_in(template) if "${secrets." in value else set()
    if isinstance(value, Mapping):
        parts = [(member, _part(template, name)) for name, member in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(member, _part(template, place)) for place, member in enumerate(value)]
    else:
        return set()
    return {name for member, part in parts for name in _wanted(member, part)}


def _filled(value: Any, template: Any, opened: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        names = _named_in(template)
        return PLACEHOLDER.sub(lambda found: opened[found[1]] if found[1] in names else found[0], value)
    if isinstance(value, Mapping):
        return {name: _filled(member, _part(template, name), opened) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(member, _part(template, place), opened) for place, member in enumerate(value)]
    return value


def _part(template: Any, place: str | int) -> Any:
    """What the definition says at this place; None where it says nothing of its own there."""
    if isinstance(template, Mapping) and isinstance(place, str):
        return template.get(place)
    if isinstance(template, list | tuple) and isinstance(place, int) and place < len(template):
        return template[place]
    return None
