"""What Alembic runs: the migrations, on the connection and in the transaction that it was handed."""

from __future__ import annotations

from alembic import context

from control_tower.ledger.revisions import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
