"""What tests of signing in share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.auth.models import SecondFactor
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant

Trail = Callable[[UUID], Awaitable[list[str]]]
ClientOf = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
def trail(identity: Database) -> Trail:
    """Reads the actions in the audit log of an account that begin with `auth.`, oldest first."""

    async def read(account_id: UUID) -> list[str]:
        mine = sa.and_(AuditEntry.account_id == account_id, AuditEntry.action.startswith("auth."))
        async with identity.transaction(read_only=True) as session:
            found = await session.scalars(
                sa.select(AuditEntry.action).where(mine).order_by(AuditEntry.created_at, AuditEntry.id)
            )
            return list(found)

    return read


@pytest.fixture
async def client_of(settings: Settings, create_app: Callable[[Settings], Litestar]) -> AsyncIterator[ClientOf]:
    """Opens clients on the same installation with other settings."""
    async with AsyncExitStack() as stack:

        async def opened(**changes: Any) -> httpx.AsyncClient:
            return await stack.enter_async_context(in_process(create_app(settings.model_copy(update=changes))))

        yield opened


class AuthenticatorApp:
    """What a person's telephone computes. `code()` answers one that was not used before, as if time had passed."""

    def __init__(self, secret: str, identity: Database, user_id: UUID) -> None:
        self.totp = pyotp.TOTP(secret)
        self.recovery_codes: list[str] = []
        self._identity = identity
        self._user_id = user_id

    async def code(self) -> str:
        async with self._identity.transaction() as session:
            mine = SecondFactor.user_id == self._user_id
            await session.execute(sa.update(SecondFactor).where(mine).values(last_step=0))
        return self.totp.now()


@pytest.fixture
async def app_of(client: httpx.AsyncClient, identity: Database) -> Callable[[Tenant], Awaitable[AuthenticatorApp]]:
    """Adds an authenticator app that counts as the second factor of a tenant."""

    async def added(tenant: Tenant) -> AuthenticatorApp:
        body = {"current_password": tenant.password}
        begun = await client.post("/api/v1/auth/second-factor", json=body, headers=tenant.client_headers)
        assert begun.status_code == 201, begun.text
        phone = AuthenticatorApp(begun.json()["secret"], identity, tenant.user_id)
        confirmed = await client.post(
            "/api/v1/auth/second-factor/confirm", json={"code": phone.totp.now()}, headers=tenant.client_headers
        )
        assert confirmed.status_code == 200, confirmed.text
        phone.recovery_codes = confirmed.json()["recovery_codes"]
        return phone

    return added
