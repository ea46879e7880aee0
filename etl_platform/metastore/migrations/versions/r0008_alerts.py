"""Incidents, and the outbox of the notices that tell of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "alert_cursors",
        sa.Column("alerts", sa.Text(), primary_key=True),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", _TIME, nullable=False),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text()),
        sa.Column("partition", sa.Text()),
        sa.Column("run_id", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("recovered_at", _TIME),
        sa.Column("recovery", sa.Text()),
    )
    still_open = sa.text("recovered_at IS NULL")
    op.create_index(
        "incidents_open",
        "incidents",
        ["alerts", "subject"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_index("incidents_newest", "incidents", ["alerts", "subject", "opened_at"])
    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", _TIME),
        sa.Column("sent_at", _TIME),
        sa.Column("error", sa.Text()),
    )
    op.create_index("notices_due", "notices", ["alerts", "state", "due_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("notices")
    op.drop_table("incidents")
    op.drop_table("alert_cursors")
