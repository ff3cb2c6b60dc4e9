"""Rows of what a workspace decided for its workflows, and of what its runs remember."""

from collections.abc import Collection
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from spectral.domains.workflows.models import WorkflowMemory, WorkflowSecret, WorkflowSettings
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page


class SecretRepository(WorkspaceRepository[WorkflowSecret]):
    """The secrets of one workspace, values sealed."""

    model: ClassVar[type[WorkflowSecret]] = WorkflowSecret
    kind = "Secret"

    async def names(self) -> list[str]:
        """Every name, in order."""
        names = sa.select(WorkflowSecret.name).where(self._mine).order_by(WorkflowSecret.name)
        return list((await self.session.scalars(names)).all())

    async def sealed(self, names: Collection[str]) -> dict[str, str]:
        """Name → sealed value of those that exist."""
        wanted = sa.select(WorkflowSecret.name, WorkflowSecret.value).where(self._mine, WorkflowSecret.name.in_(names))
        return {row.name: row.value for row in await self.session.execute(wanted)}

    async def lock(self, name: str) -> WorkflowSecret | None:
        """The secret, held until the commit; None where there is none."""
        held = self.select(WorkflowSecret.name == name).with_for_update()
        return (await self.session.scalars(held)).one_or_none()


class SettingsRepository(WorkspaceRepository[WorkflowSettings]):
    """The one row of one workspace, where there is one."""

    model: ClassVar[type[WorkflowSettings]] = WorkflowSettings
    kind = "Workflow settings"

    async def lock(self) -> WorkflowSettings | None:
        """The row, held until the commit; None before anybody has decided."""
        return (await self.session.scalars(self.select().with_for_update())).one_or_none()


class MemoryRepository(WorkspaceRepository[WorkflowMemory]):
    """What the runs of one workspace remember."""

    model: ClassVar[type[WorkflowMemory]] = WorkflowMemory
    kind = "Memory"

    async def recall(self, namespace: str, key: str) -> WorkflowMemory | None:
        """What was stored last under the key, or None."""
        return await self.find(WorkflowMemory.namespace == namespace, WorkflowMemory.key == key)

    async def replace(self, namespace: str, key: str, value: Any) -> bool:
        """Whether the key was there and now has this value."""
        changed = self.update(WorkflowMemory.namespace == namespace, WorkflowMemory.key == key)
        return await self.execute(changed.values(value=value, updated_at=utc_now())) > 0

    async def store(self, namespace: str, key: str, value: Any) -> None:
        """The key has this value, whether or not somebody stores it at the same moment."""
        is_postgresql = self.session.get_bind().dialect.name == "postgresql"
        now = utc_now()
        made = (postgresql.insert if is_postgresql else sqlite.insert)(WorkflowMemory).values(
            workspace_id=self.access.workspace_id,
            id=new_id(),
            created_at=now,
            namespace=namespace,
            key=key,
            value=value,
            updated_at=now,
        )
        await self.session.execute(
            made.on_conflict_do_update(
                index_elements=["workspace_id", "namespace", "key"],
                set_={"value": made.excluded.value, "updated_at": made.excluded.updated_at},
            )
        )

    async def take_turn(self) -> None:
        """Two runs do not both fill the last place. SQLite has one write transaction anyway."""
        if self.session.get_bind().dialect.name == "postgresql":
            await self.session.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:slot, 0))"),
                {"slot": f"spectral.workflow_memory:{self.access.workspace_id}"},
            )

    async def namespaces(self, page: Page) -> tuple[list[sa.Row[Any]], int]:
        """One page of `(namespace, keys, updated_at)` by name, and how many namespaces there are."""
        grouped = (
            sa.select(
                WorkflowMemory.namespace,
                sa.func.count().label("keys"),
                sa.func.max(WorkflowMemory.updated_at).label("updated_at"),
            )
            .where(self._mine)
            .group_by(WorkflowMemory.namespace)
        )
        counted = sa.select(sa.func.count()).select_from(grouped.subquery())
        total = int((await self.session.execute(counted)).scalar_one())
        rows = await self.session.execute(
            grouped.order_by(WorkflowMemory.namespace).limit(page.limit).offset(page.offset)
        )
        return list(rows.all()), total

    async def page_of(self, namespace: str, page: Page) -> tuple[list[WorkflowMemory], int]:
        """One page of a namespace by key, and how many keys it has."""
        statement = self.select(WorkflowMemory.namespace == namespace)
        return await self.page(statement, page, order_by=(WorkflowMemory.key,))

    async def forget(self, namespace: str, key: str | None) -> int:
        """How many keys are gone: the one, or where it is None the whole namespace."""
        forgotten = self.delete(WorkflowMemory.namespace == namespace)
        if key is not None:
            forgotten = forgotten.where(WorkflowMemory.key == key)
        return await self.execute(forgotten.execution_options(synchronize_session=False))
