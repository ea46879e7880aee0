"""How far batches of streams are published, and where streams ended when last looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("stream_batches", sa.Column("outcome", sa.Text()))
    op.add_column("stream_batches", sa.Column("finished_at", sa.DateTime(timezone=True)))
    op.create_table(
        "stream_states",
        sa.Column("stream", sa.Text(), primary_key=True),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("error_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("stream_states")
    op.drop_column("stream_batches", "finished_at")
    op.drop_column("stream_batches", "outcome")
