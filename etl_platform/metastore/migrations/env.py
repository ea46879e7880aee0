"""Runs the migrations on the connection, and in the transaction, that ``migrate`` hands over."""

from __future__ import annotations

from alembic import context

from etl_platform.metastore.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can change a column only by copying its table.
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
