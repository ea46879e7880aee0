"""Each failed try of a step is remembered, and ended by the next success with what differed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.redaction import redact

if TYPE_CHECKING:
    from etl_platform.metastore import Metastore
    from etl_platform.monitoring.failures import Circumstances
    from etl_platform.resources import LakeResource

SIMILAR_TAG, FIXED_TAG = "etl/similar_failure", "etl/fixed_by"
_log = logging.getLogger(__name__)
_MESSAGE, _TAG = 2_000, 200


@contextmanager
def remembered(
    context: dg.AssetExecutionContext,
    table: TableName,
    inputs: Collection[TableName],
    definition: Callable[[], str],
) -> Generator[None]:
    """Remember what is raised inside, or that it succeeded; neither can fail the step.

    A run that fails like an earlier one is tagged with that one's run and what ended it.

    Args:
        inputs: tables of the lake that the step reads.
        definition: a text that changes with what is declared of the asset.
    """
    try:
        yield
    except Exception as error:
        _try(_failed, context, table, inputs, definition, error)
        raise
    _try(_succeeded, context, table, inputs, definition)


def _try(what: Callable[..., None], context: dg.AssetExecutionContext, *words: object) -> None:
    lake = getattr(context.resources, "lake", None)
    if lake is None:
        return
    try:
        what(lake, context, *words)
    except (EtlError, OSError) as error:
        _log.warning("the failure memory could not be kept: %s", redact(str(error)))


def _failed(
    lake: LakeResource,
    context: dg.AssetExecutionContext,
    table: TableName,
    inputs: Collection[TableName],
    definition: Callable[[], str],
    error: Exception,
) -> None:
    from etl_platform.metastore.records import FailureRecord
    from etl_platform.monitoring.failures import nearest, signature
    from etl_platform.quality.pii import mask_text

    message = mask_text(redact(str(error))[:_MESSAGE])
    record = FailureRecord(
        run_id=context.run.run_id,
        attempt=context.retry_number,
        asset=table.sql,
        partition=_partition(context),
        error_type=_type(error),
        message=message,
        signature=signature(message),
        circumstances=_circumstances(lake, context, inputs, definition).to_json(),
        advice=error.fix if isinstance(error, EtlError) else None,
    )
    metastore: Metastore = lake.metastore()
    alike = nearest(record, metastore.failures.newest())
    metastore.failures.add(record)
    ended = next((one.failure for one in alike if one.failure.resolution), None)
    if ended is not None and ended.resolution:
        tags = {SIMILAR_TAG: ended.run_id, FIXED_TAG: ended.resolution[:_TAG]}
        context.instance.add_run_tags(context.run.run_id, tags)


def _succeeded(
    lake: LakeResource,
    context: dg.AssetExecutionContext,
    table: TableName,
    inputs: Collection[TableName],
    definition: Callable[[], str],
) -> None:
    from etl_platform.monitoring.failures import difference

    log = lake.metastore().failures
    if not log.has_open(table.sql, _partition(context)):
        return
    still_open = log.open_of(table.sql, _partition(context))
    then, at = _circumstances(lake, context, inputs, definition), datetime.now(UTC)
    for one in still_open:
        log.end(one, context.run.run_id, at, difference(one, then, context.run.run_id, at))


def _circumstances(
    lake: LakeResource,
    context: dg.AssetExecutionContext,
    inputs: Collection[TableName],
    definition: Callable[[], str],
) -> Circumstances:
    from etl_platform.monitoring.failures import Circumstances, libraries

    opened = lake.lake()
    config = json.dumps(context.run.run_config, sort_keys=True, default=str)
    return Circumstances(
        inputs={one.sql: opened.version(one) if opened.exists(one) else None for one in inputs},
        definition=_digest(definition()),
        libraries=libraries(),
        config=_digest(config),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _partition(context: dg.AssetExecutionContext) -> str:
    return context.partition_key if context.has_partition_key else ""


def _type(error: BaseException) -> str:
    """The type of an error and of the one at the bottom of its causes."""
    names = [type(error).__qualname__]
    while (cause := error.__cause__) is not None:
        error = cause
    if type(error).__qualname__ != names[0]:
        names.append(type(error).__qualname__)
    return " of ".join(names)
