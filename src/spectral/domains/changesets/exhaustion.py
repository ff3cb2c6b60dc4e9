"""Which holdouts can be asked nothing more."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.ledger import LookPlan
from spectral.domains.changesets.models import HoldoutLedger
from spectral.domains.changesets.repository import LedgerRepository
from spectral.platform.access.principal import WorkspaceAccess


async def exhausted_among(session: AsyncSession, access: WorkspaceAccess, holdout_ids: Collection[UUID]) -> set[UUID]:
    """Those of these holdouts whose planned looks are all taken."""
    ledgers = await LedgerRepository(session, access).find_all(HoldoutLedger.holdout_id.in_(list(holdout_ids)))
    return {ledger.holdout_id for ledger in ledgers if ledger.looks_taken >= LookPlan.from_document(ledger.plan).looks}
