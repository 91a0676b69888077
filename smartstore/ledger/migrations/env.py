"""Alembic's way in: walks the steps on the connection that :mod:`smartstore.ledger.database` hands over."""

from alembic import context

from smartstore.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
