"""What each step took of its machine, kept for metrics and trends."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.usage import Usage

if TYPE_CHECKING:
    from etl_platform.resources import LakeResource

_log = logging.getLogger(__name__)


@contextmanager
def recorded(context: dg.AssetExecutionContext, table: TableName) -> Generator[None]:
    """Record what the work inside took, also when it fails; that it cannot be is no failure."""
    before, succeeded = Usage.now(), False
    try:
        yield
        succeeded = True
    finally:
        lake = getattr(context.resources, "lake", None)
        if lake is not None:
            _record(lake, context, table, Usage.now().since(before), succeeded)


def _record(
    lake: LakeResource,
    context: dg.AssetExecutionContext,
    table: TableName,
    used: Usage,
    succeeded: bool,
) -> None:
    from etl_platform.metastore.records import StepUseRecord

    record = StepUseRecord(
        run_id=context.run.run_id,
        asset=table.sql,
        partition=context.partition_key if context.has_partition_key else None,
        succeeded=succeeded,
        **asdict(used),
    )
    try:
        lake.metastore().record_use(record)
    except EtlError as error:
        _log.warning("what the step took could not be recorded: %s", error)
