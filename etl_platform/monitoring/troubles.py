"""What is wrong with which table now, since when, and which tables are made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.monitoring.alerts.notices import KIND_WORDS
from etl_platform.monitoring.status import State, TableStatus

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore
    from etl_platform.metastore.records import FailureRecord

FAILED, REFUSED = KIND_WORDS["run_failure"], KIND_WORDS["check_blocked"]
_SAID_HERE = ("run_failure", "check_blocked")
"""Kinds of incidents that failures and audits tell by themselves."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with a table.

    Attributes:
        table: its name; the subject of an incident that is of no table.
        what: in words, such as ``run failed``, ``data refused``, ``too old``, ``late``.
        since: when it was first seen.
        why: the newest message.
        run_id: the newest run that met it.
        partitions: how many it is of, 0 for a whole table.
        downstream: the tables that are made of it, near ones first.
    """

    table: str
    what: str
    since: datetime
    why: str
    run_id: str | None = None
    partitions: int = 0
    downstream: tuple[str, ...] = ()


def troubles(
    lake: Lake, metastore: Metastore, statuses: Iterable[TableStatus]
) -> tuple[Trouble, ...]:
    """What is wrong now: steps that failed and did not succeed since, batches that were refused,
    and open incidents of the alerts' rules; the oldest first.

    Args:
        statuses: as :func:`etl_platform.monitoring.status.table_statuses` gives them.
    """
    refused = list(_refused(metastore, lake, statuses))
    # A step that was refused its data has failed as well: it is told once.
    known = {one.table for one in refused}
    failed = [one for one in _failed(metastore.failures.all_open()) if one.table not in known]
    found = sorted([*refused, *failed, *_incidents(metastore)], key=lambda one: one.since)
    return tuple(_with_readers(lake, found))


def _failed(failures: Sequence[FailureRecord]) -> Iterator[Trouble]:
    by_table: dict[str, list[FailureRecord]] = {}
    for one in failures:
        by_table.setdefault(one.asset, []).append(one)
    for table, those in by_table.items():
        newest = those[0]
        yield Trouble(
            table,
            FAILED,
            min(one.failed_at for one in those),
            newest.message,
            newest.run_id,
            len({one.partition for one in those if one.partition}),
        )


def _refused(
    metastore: Metastore, lake: Lake, statuses: Iterable[TableStatus]
) -> Iterator[Trouble]:
    audits = metastore.last_audits(lake.uri)
    for status in statuses:
        if status.state is not State.REFUSED or status.audit is None:
            continue
        outcomes: list[dict[str, str]] = json.loads(audits[status.table].outcomes)
        rules = [one["rule"] for one in outcomes if one["status"] == "failed"]
        why = f"broken: {', '.join(rules)}"
        yield Trouble(status.table, REFUSED, status.audit.audited_at, why, status.audit.run_id)


def _incidents(metastore: Metastore) -> Iterator[Trouble]:
    for one in metastore.alerts.incidents():
        if one.kind in _SAID_HERE and one.asset is not None:
            continue
        yield Trouble(
            _table(one.asset) if one.asset else one.subject,
            KIND_WORDS.get(one.kind, one.kind),
            one.opened_at,
            one.message,
            one.run_id,
            1 if one.partition else 0,
        )


def _table(asset: str) -> str:
    try:
        return TableName(*asset.split("/")).sql
    except (ConfigError, TypeError):
        return asset


def _with_readers(lake: Lake, found: Sequence[Trouble]) -> Iterator[Trouble]:
    if not found:
        return
    from etl_platform.planner.lineage.recorded import read_atlas

    atlas = read_atlas(lake)
    for one in found:
        if one.table not in atlas.tables:
            yield one
            continue
        nodes = atlas.graph(one.table, up=False).nodes
        yield replace(one, downstream=tuple(n.name for n in nodes if n.name != one.table))
