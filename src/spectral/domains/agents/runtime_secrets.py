"""The secret by which an agent that is called over HTTP knows that it is called by the platform."""

import base64
import binascii
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.lifecycle import hold_writable, record
from spectral.domains.agents.repository import AgentRepository
from spectral.domains.agents.runtime import HTTP
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError, FieldError, ValidationFailedError
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.webhooks.signing import SECRET_PREFIX, new_secret

LEAST_BYTES = 24


class RuntimeSecretService:
    """The signing secrets of one workspace's agents."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, box: SecretBox) -> None:
        self._session = session
        self._access = access
        self._agents = AgentRepository(session, access)
        self._box = box

    async def set_secret(self, agent_id: UUID, secret: str | None) -> str:
        """What signs from now on: the given secret, or a new one of 256 random bits. It is never shown again.

        Raises NotFoundError, AgentArchivedError and BusinessRuleViolationError (400) for an agent that nothing is
        posted to, ValidationFailedError (422) for what is no secret.
        """
        agent = await hold_writable(self._agents, agent_id)
        if agent.runtime != HTTP:
            raise BusinessRuleViolationError(f"Nothing is posted to an agent with the runtime '{agent.runtime}'")
        chosen = new_secret() if secret is None else _checked(secret)
        is_new = agent.runtime_secret_sealed is None
        agent.runtime_secret_sealed = self._box.seal(chosen)
        agent.updated_at = utc_now()
        await self._agents.flush()
        detail = {"replaces": not is_new, "made_by": "the platform" if secret is None else "the caller"}
        await record(self._session, self._access, agent_id, "agent.runtime_secret_set", detail)
        return chosen


def _checked(secret: str) -> str:
    try:
        length = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except binascii.Error:
        length = 0
    if length < LEAST_BYTES:
        detail = f"is not '{SECRET_PREFIX}' and then Base64 of at least {LEAST_BYTES} bytes"
        raise ValidationFailedError("The request failed validation", [FieldError("/secret", detail)])
    return secret
