"""Logs of runs as lines of JSON, one document each, for whatever gathers logs.

Named as a formatter in ``python_logs`` of ``dagster.yaml`` (docs/monitoring.md). Dagster's own JSON
logger repeats whole events and errors as they are; here every text passes through
:func:`~etl_platform.core.redaction.redact` last, because Dagster adds the text of an error to a
record after it was made.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl_platform.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    from dagster._core.log_manager import DagsterLogRecordMetadata

_PARTITION = "dagster/partition"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_MOST = 1_000
_assets: OrderedDict[tuple[str, str], str] = OrderedDict()
_lock = threading.Lock()


def step_makes(run_id: str, step: str, asset: str) -> None:
    """Name the asset of a step: Dagster's own events of starting and failing do not.

    Args:
        asset: its key, as Dagster's UI shows it (``shop/orders``).
    """
    with _lock:
        _assets[run_id, step] = asset
        _assets.move_to_end((run_id, step))
        while len(_assets) > _MOST:
            _assets.popitem(last=False)


class JsonLines(logging.Formatter):
    """One JSON object per record; what is not known is left out.

    ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, ``run``, ``job``, ``step``,
    ``asset``, ``partition`` (``first...last`` for a range), ``event`` (type of Dagster's event) and
    ``error`` (with its causes), all texts.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told: dict[str, str | None] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        of_dagster: DagsterLogRecordMetadata | None = getattr(record, "dagster_meta", None)
        if of_dagster is None:
            told["message"] = record.getMessage()
        else:
            told |= _of_run(of_dagster)
        told["error"] = told.get("error") or self._raised(record)
        return json.dumps({name: redact(text) for name, text in told.items() if text})

    def _raised(self, record: logging.LogRecord) -> str | None:
        if record.exc_text:  # already redacted, or made by another formatter
            return record.exc_text
        return self.formatException(record.exc_info) if record.exc_info else None


def _of_run(told: DagsterLogRecordMetadata) -> dict[str, str | None]:
    event = told["dagster_event"]
    error = getattr(event.event_specific_data, "error", None) if event else None
    return {
        "message": told["orig_message"],
        "run": told["run_id"],
        "job": told["job_name"],
        "step": told["step_key"],
        "asset": _asset(told, event),
        "partition": _partition(told["job_tags"], event),
        "event": event.event_type.value if event else None,
        "error": error.to_string() if error else None,
    }


def _asset(told: DagsterLogRecordMetadata, event: dg.DagsterEvent | None) -> str | None:
    if event is not None and event.asset_key is not None:
        return event.asset_key.to_user_string()
    return _assets.get((told["run_id"] or "", told["step_key"] or "")) or _of_code()


def _of_code() -> str | None:
    """The asset whose code is running in this thread, where it is one alone."""
    from dagster._core.execution.context.compute import current_execution_context

    context = current_execution_context.get()
    if context is None or not context.op_execution_context.has_assets_def:
        return None
    keys = context.op_execution_context.selected_asset_keys
    return next(iter(keys)).to_user_string() if len(keys) == 1 else None


def _partition(tags: Mapping[str, str], event: dg.DagsterEvent | None) -> str | None:
    if event is not None and event.partition is not None:
        return event.partition
    first, last = (tags.get(name) for name in _RANGE)
    return f"{first}...{last}" if first and last else tags.get(_PARTITION)
