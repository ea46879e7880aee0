"""Which engine did which work, and how it went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "engine_decisions",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("shape_key", sa.Text(), nullable=False),
        sa.Column("size_class", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("rejected", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("fell_back_from", sa.Text()),
        sa.Column("connections", sa.BigInteger(), nullable=False),
        sa.Column("rows_estimated", sa.BigInteger()),
        sa.Column("predicted_s", sa.Float()),
        sa.Column("run_id", sa.Text()),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("seconds", sa.Float()),
        sa.Column("peak_bytes", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.Column("finished_at", _TIME),
        sa.UniqueConstraint("decision_id", name="engine_decisions_once"),
    )
    op.create_index("engine_decisions_table", "engine_decisions", ["table", "id"])
    op.create_index(
        "engine_decisions_shape", "engine_decisions", ["source", "shape_key", "size_class", "id"]
    )
    op.create_index("engine_decisions_engine", "engine_decisions", ["engine", "kind", "id"])
    op.create_index("engine_decisions_open", "engine_decisions", ["source", "decided_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("engine_decisions")
