"""What a query read, predicted and kept; queries saved by name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COLUMNS = ("params", "key", "result", "cached", "scanned_bytes", "predicted_s")


def upgrade() -> None:
    """Add the columns and the table."""
    with op.batch_alter_table("queries") as queries:
        queries.add_column(sa.Column("params", sa.Text(), nullable=False, server_default="[]"))
        queries.add_column(sa.Column("key", sa.Text()))
        queries.add_column(sa.Column("result", sa.Text()))
        queries.add_column(
            sa.Column("cached", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        queries.add_column(sa.Column("scanned_bytes", sa.BigInteger()))
        queries.add_column(sa.Column("predicted_s", sa.Float()))
    op.create_index("queries_key", "queries", ["key", "id"])
    op.create_table(
        "saved_queries",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("saved_queries")
    op.drop_index("queries_key", "queries")
    with op.batch_alter_table("queries") as queries:
        for column in _COLUMNS:
            queries.drop_column(column)
