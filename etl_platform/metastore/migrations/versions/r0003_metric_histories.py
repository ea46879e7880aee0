"""Histories of metrics, and what people said about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "metric_points",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("lake", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("event_time", _TIME, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.UniqueConstraint("lake", "table", "series", "event_time", name="metric_points_once"),
    )
    op.create_table(
        "metric_feedback",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("lake", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME),
        sa.Column("note", sa.Text()),
        sa.Column("said_at", _TIME, nullable=False),
    )
    op.create_index("metric_feedback_table", "metric_feedback", ["lake", "table", "id"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("metric_feedback", "metric_points"):
        op.drop_table(table)
