"""Failures of steps, and what ended them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "failures",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("error_type", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("circumstances", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text()),
        sa.Column("failed_at", _TIME, nullable=False),
        sa.Column("ended_by_run", sa.Text()),
        sa.Column("ended_at", _TIME),
        sa.Column("resolution", sa.Text()),
        sa.UniqueConstraint("run_id", "asset", "partition", "attempt", name="failures_once"),
    )
    op.create_index("failures_open", "failures", ["asset", "partition", "ended_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("failures")
