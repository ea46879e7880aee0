"""Batches of streams: exact ranges of positions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "stream_batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.Column("cut_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_into", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.UniqueConstraint("stream", "kind", "number", name="stream_batches_once"),
        sa.UniqueConstraint("stream", "key", name="stream_batches_key"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("stream_batches")
