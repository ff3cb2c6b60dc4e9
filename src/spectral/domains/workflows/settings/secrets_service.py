"""The secrets of a workspace's workflows: written, named, never shown."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.models import SECRET_NAME, WorkflowSecret
from spectral.domains.workflows.settings.repository import SecretRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ConflictError,
    FieldError,
    NotFoundError,
    ValidationFailedError,
)
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.secret_box import SecretBox

MAXIMUM_SECRETS = 200


class SecretService:
    """The secrets of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, box: SecretBox) -> None:
        self._session = session
        self._access = access
        self._box = box
        self._secrets = SecretRepository(session, access)

    async def list_secrets(self, page: Page) -> tuple[Sequence[WorkflowSecret], int]:
        """One page, by name."""
        return await self._secrets.page(self._secrets.select(), page, order_by=(WorkflowSecret.name,))

    async def set_secret(self, name: str, value: str) -> WorkflowSecret:
        """The secret with its new value; steps that begin from the commit on use it.

        Raises ValidationFailedError for what is no name, BusinessRuleViolationError for one more than 200,
        ConflictError when somebody else sets the same new name at the same moment.
        """
        if re.fullmatch(SECRET_NAME, name) is None:
            problem = "must be capital letters, digits and _, a letter first, at most 64 characters"
            raise ValidationFailedError("The request failed validation", [FieldError("secret_name", problem)])
        secret = await self._secrets.lock(name)
        replaced = secret is not None
        if secret is None:
            if await self._secrets.count() >= MAXIMUM_SECRETS:
                raise BusinessRuleViolationError(f"A workspace has at most {MAXIMUM_SECRETS} secrets for its workflows")
            secret = self._secrets.add(WorkflowSecret(name=name, created_by=self._access.actor))
        secret.value = self._box.seal(value)
        secret.updated_at = utc_now()
        taken = ConflictError(f"Somebody else has set {name} at the same moment; set it again")
        await self._secrets.flush({"uq_workflow_secret_workspace_id_name": taken})
        await self._audit(name, "workflow_secret.set", {"name": name, "replaced": replaced})
        return secret

    async def delete_secret(self, name: str) -> None:
        """It is gone; a step that still names it fails. Raises NotFoundError."""
        secret = await self._secrets.lock(name)
        if secret is None:
            raise NotFoundError("Secret", name)
        await self._secrets.remove(secret)
        await self._audit(name, "workflow_secret.deleted", {"name": name})

    async def _audit(self, name: str, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"workflow_secret:{name}",
            detail=detail,
        )
