"""Recognises API keys and service accounts, for the platform's `CredentialVerifier`."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import sqlalchemy as sa

from spectral.domains.keys.credentials import API_KEY, SERVICE_ACCOUNT, is_well_formed, status_at
from spectral.domains.keys.models import ApiKey, ServiceAccount, WorkspaceCredential
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.repository import by_hash, by_id
from spectral.domains.keys.uses import THROTTLE, Renewal, Use, UseNotes
from spectral.platform.access.authentication import Identity, Target
from spectral.platform.access.principal import ACTOR_KINDS, Principal, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import API_KEY_SCOPES, WORKSPACE_SCOPES, Scope, WorkspaceRole
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotAuthenticatedError


class MachineVerifier(ABC):
    """Finds a credential by its hash in one indexed query; a malformed one is refused without any."""

    prefix: ClassVar[str]
    kind: ClassVar[PrincipalKind]
    model: ClassVar[type[WorkspaceCredential]]

    def __init__(self, identity: Database, peppers: Peppers, uses: UseNotes) -> None:
        self._identity = identity
        self._peppers = peppers
        self._uses = uses

    @abstractmethod
    def scopes(self, found: sa.Row[Any]) -> frozenset[Scope]:
        """What a stored credential may do in its workspace."""

    def recognises(self, credential: str) -> bool:
        return credential.startswith(self.prefix)

    async def principal(self, credential: str, target: Target) -> Principal:
        """The credential's workspace is the only one it may touch. Raises NotAuthenticatedError, always the same."""
        if not is_well_formed(credential):
            raise NotAuthenticatedError
        found = await self._find(by_hash(self.model, self._peppers.hashes(credential)))
        now = utc_now()
        renewal = self._renewal(credential, found)
        if renewal is not None or found.last_used_at is None or now - found.last_used_at >= THROTTLE:
            self._uses.note(Use(self.model, found.workspace_id, found.id, now, renewal))
        return self._principal(found, target)

    async def present(self, identity: Identity, target: Target) -> Principal:
        """As `principal`, of a credential that was shown before; that it is looked at again is no use of it."""
        return self._principal(await self._find(by_id(self.model, identity.credential_id)), target)

    async def _find(self, statement: sa.Select[Any]) -> sa.Row[Any]:
        rows = await self._identity.look_up(statement)
        if not rows:
            raise NotAuthenticatedError
        found = rows[0]
        if status_at(utc_now(), expires_at=found.expires_at, revoked_at=found.revoked_at) != "active":
            raise NotAuthenticatedError
        return found

    def _principal(self, found: sa.Row[Any], target: Target) -> Principal:
        access = WorkspaceAccess(
            found.workspace_id, found.account_id, self.scopes(found), f"{ACTOR_KINDS[self.kind]}:{found.id}"
        )
        mine = target.workspace_id in {None, found.workspace_id}
        return Principal(
            kind=self.kind,
            credential_id=found.id,
            account_id=found.account_id,
            workspace=access if mine else None,
        )

    def _renewal(self, credential: str, found: sa.Row[Any]) -> Renewal | None:
        if found.pepper_id == self._peppers.newest_id:
            return None
        return Renewal(found.key_hash, self._peppers.hash(credential), self._peppers.newest_id)


class ApiKeyVerifier(MachineVerifier):
    """API keys: the scopes that they were narrowed to."""

    prefix = API_KEY
    kind = PrincipalKind.API_KEY
    model = ApiKey

    def scopes(self, found: sa.Row[Any]) -> frozenset[Scope]:
        return frozenset(Scope(scope) for scope in found.scopes) & API_KEY_SCOPES


class ServiceAccountVerifier(MachineVerifier):
    """Service accounts: the scopes of their role, and the right to approve where it was granted."""

    prefix = SERVICE_ACCOUNT
    kind = PrincipalKind.SERVICE_ACCOUNT
    model = ServiceAccount

    def scopes(self, found: sa.Row[Any]) -> frozenset[Scope]:
        granted = WORKSPACE_SCOPES[WorkspaceRole(found.role)]
        return granted | {Scope.APPROVE_AGENTS} if found.approve else granted
