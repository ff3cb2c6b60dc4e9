"""Alembic's entry: `spectral.platform.db.migrations` hands over the connection and owns the transaction."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=None,
    transactional_ddl=True,
    # One transaction per revision: a kill between two leaves a whole schema of the first.
    transaction_per_migration=True,
)
context.run_migrations()
