"""Taking a load back."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError
from etl_platform.sinks.database.columns import sql_table
from etl_platform.sinks.database.images import drop_image, open_image
from etl_platform.sinks.database.ledger import Entry, Ledger, identity

if TYPE_CHECKING:
    from etl_platform.sinks.database.dialects.base import TargetDialect
    from etl_platform.sinks.database.load import Target
    from etl_platform.sinks.database.receipt import LoadReceipt
    from etl_platform.sinks.database.session import Session


def revert(
    session: Session, dialect: TargetDialect, target: Target, batch: str | None
) -> LoadReceipt:
    """Put back the rows that a load changed, in one transaction.

    Rows of these keys that others changed since are put back too: the load's keys are as they were
    before it.

    Args:
        batch: the load; default the newest. Only the newest can be reverted, so later ones first.

    Returns:
        The receipt of the load that is undone, with what undoing it did: rows put back count as
        inserted, rows taken away as deleted.

    Raises:
        PermanentError: there is no such load, a newer one builds on it, or no before-image of it
            is kept (any more).
    """
    began = time.perf_counter()
    ledger = Ledger(target)
    dialect.take_turn(session, ledger)
    with session.transaction():
        ledger.create(session)
        table = dialect.describe(session, target)
    if table is None:
        raise PermanentError(f"there is no table {target}", fix="correct the table's name")
    with session.transaction():
        entry, image_name = _revertible(ledger.newest(session), target, batch)
        receipt = entry.receipt
        image = open_image(session, target, receipt.mode, image_name, table.columns, receipt.key)
        dialect.settle(session, image.table, image.key)
    with session.transaction():
        # An index may have ended the transaction, and another may have been faster.
        _revertible(ledger.newest(session), target, receipt.batch)
        goal = sql_table(target, table.columns)
        dialect.lock(session, goal)
        deleted, inserted = image.put_back(goal)
        ledger.mark_reverted(session, receipt.batch)
    with session.transaction():
        drop_image(session, target, image_name)
    return replace(
        receipt,
        rows_inserted=inserted,
        rows_updated=0,
        rows_deleted=deleted,
        rows_total=None,
        revertible=False,
        seconds=round(time.perf_counter() - began, 3),
    )


def _revertible(newest: Entry | None, target: Target, batch: str | None) -> tuple[Entry, str]:
    if newest is None:
        raise PermanentError(f"{target} has no load that could be reverted")
    if batch is not None and newest.batch != identity(batch):
        raise PermanentError(
            f"batch {batch!r} is not the newest load of {target}",
            valid=newest.batch,
            fix="revert the newer loads first",
        )
    if newest.image is None:
        raise PermanentError(
            f"no before-image of the load {newest.batch!r} of {target} is kept (any more)",
            fix="load an earlier version of the lake's table with mode replace",
        )
    return newest, newest.image
