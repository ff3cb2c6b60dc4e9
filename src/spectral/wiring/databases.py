"""The database of an installation."""

from spectral.platform.db.session import Database
from spectral.settings import Settings

# One writer, and one that makes partitions.
INGESTION_POOL_SIZE = 2


class Databases:
    """The database of an installation, as each of the roles that serve it (ADR 0012)."""

    def __init__(self, settings: Settings) -> None:
        self.application = Database(settings.url, pool_size=settings.database_pool_size)
        self.identity = self._as(settings.identity_url, settings, settings.database_pool_size)
        self.ingestion = self._as(settings.ingestion_url, settings, INGESTION_POOL_SIZE)

    def _as(self, url: str, settings: Settings, pool_size: int) -> Database:
        # On SQLite, and where no other role is named, it is the same; so is the one connection that writes.
        return self.application if url == settings.url else Database(url, pool_size=pool_size)

    async def close(self) -> None:
        for database in {self.application, self.identity, self.ingestion}:
            await database.close()
