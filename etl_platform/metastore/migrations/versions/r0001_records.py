"""Receipts, audits, profiles and the history of queries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "receipts",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("lake", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("version_after", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("version_before", sa.BigInteger()),
        sa.Column("rows_inserted", sa.BigInteger(), nullable=False),
        sa.Column("rows_updated", sa.BigInteger(), nullable=False),
        sa.Column("rows_deleted", sa.BigInteger(), nullable=False),
        sa.Column("rows_total", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("files_added", sa.BigInteger(), nullable=False),
        sa.Column("files_removed", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("checksum", sa.Text()),
        sa.Column("batch", sa.Text()),
        sa.Column("run_id", sa.Text()),
        sa.Column("published_at", _TIME, nullable=False),
        sa.UniqueConstraint("lake", "table", "version_after", name="receipts_once"),
    )
    op.create_index("receipts_newest", "receipts", ["table", "published_at"])
    op.create_table(
        "audits",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("lake", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger()),
        sa.Column("run_id", sa.Text()),
        sa.Column("outcomes", sa.Text(), nullable=False),
        sa.Column("audited_at", _TIME, nullable=False),
    )
    op.create_index("audits_newest", "audits", ["table", "id"])
    op.create_table(
        "profiles",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("lake", sa.Text(), nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.UniqueConstraint("lake", "table", "version", "partition", name="profiles_once"),
    )
    op.create_index("profiles_newest", "profiles", ["table", "version"])
    op.create_table(
        "queries",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("tables", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("role", sa.Text()),
        sa.Column("started_at", _TIME, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("queries", "profiles", "audits", "receipts"):
        op.drop_table(table)
