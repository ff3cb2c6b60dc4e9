"""What people do with their credentials, in the audit log of each of their accounts."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.service import AccountService
from spectral.platform import audit


async def record_for_person(
    session: AsyncSession,
    user_id: UUID,
    action: str,
    *,
    subject: str | None = None,
    detail: dict[str, Any] | None = None,
    actor: str | None = None,
) -> int:
    """One entry in each account of the person, in the caller's transaction; answers how many there are.

    actor: the person, unless somebody else did it.
    """
    memberships = await AccountService(session).memberships(user_id)
    for membership in memberships:
        await audit.record(
            session,
            account_id=membership.account.id,
            actor=actor or f"user:{user_id}",
            action=action,
            subject=subject or f"user:{user_id}",
            detail=detail,
        )
    return len(memberships)
