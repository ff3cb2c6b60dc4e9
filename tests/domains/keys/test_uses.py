"""When a credential was last used, to the minute."""

from datetime import timedelta

import sqlalchemy as sa

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.uses import THROTTLE, Use, UseNotes
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.fixtures.tenants import Tenant


async def test_it_is_written_once_a_minute_at_most(tenant: Tenant, identity: Database) -> None:
    moment = utc_now()
    last_used = sa.select(ApiKey.last_used_at).where(ApiKey.workspace_id == tenant.workspace_id)
    # As another process would, which has not read what the first one wrote.
    for later, written in ((0.0, 0.0), (0.5, 0.0), (1.0, 1.0), (1.9, 1.0)):
        uses = UseNotes(identity)
        uses.note(Use(ApiKey, tenant.workspace_id, tenant.key_id, moment + later * THROTTLE, None))
        await uses.drain()
        ((found,),) = await identity.look_up(last_used)
        assert found - moment == written * timedelta(minutes=1)
