"""Partitions that were merged may be merged again: several end with the same batch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TABLE, _ONCE = "stream_batches", "stream_batches_once"


def upgrade() -> None:
    """A number is unique among batches alone."""
    with op.batch_alter_table(_TABLE) as table:
        table.drop_constraint(_ONCE, type_="unique")
    batches = sa.text("kind = 'batch'")
    op.create_index(
        _ONCE,
        _TABLE,
        ["stream", "number"],
        unique=True,
        sqlite_where=batches,
        postgresql_where=batches,
    )


def downgrade() -> None:
    """Among merged partitions, too."""
    op.drop_index(_ONCE, _TABLE)
    with op.batch_alter_table(_TABLE) as table:
        table.create_unique_constraint(_ONCE, ["stream", "kind", "number"])
