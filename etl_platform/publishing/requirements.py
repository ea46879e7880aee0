"""What an asset requires of the tables that it reads, beyond that they are there.

A broken blocking rule keeps a batch from everyone. Whether a warning, or rows in the quarantine,
matter is for each reader to say: one may go on while another waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import dagster as dg

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.inert import plain
from etl_platform.core.names import TableName
from etl_platform.publishing.upstream import (
    checks_of,
    newest_made,
    newest_results,
    partitions_read,
)

if TYPE_CHECKING:
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

Level = Literal["published", "no_quarantine", "no_warnings"]
_LEVELS: Mapping[str, Level] = {level: level for level in get_args(Level)}
Requirements = Mapping[str, Level]
"""Table of the lake to what is required of it; ``*`` stands for every other that is read."""

EVERY = "*"


class NotAsRequired(PermanentError):
    """An upstream table is not in the state that its reader requires."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a table is not as required: a check's newest result, or rows that were set aside."""

    table: TableName
    required: Level
    what: str
    run_id: str
    partition: str | None = None

    def __str__(self) -> str:
        place = f" (partition {self.partition})" if self.partition is not None else ""
        return f"{self.table}{place}, required {self.required}: {self.what}, run {self.run_id}"


def as_requirements(said: Mapping[str, str] | None, where: str) -> Requirements:
    """Read requirements as they are written.

    Raises:
        ConfigError: a key is not a table.
        UnknownName: an unknown level.
    """
    found: dict[str, Level] = {}
    for table, level in (said or {}).items():
        if level not in _LEVELS:
            raise UnknownName("requirement", level, _LEVELS, where=f"{where}: {table}")
        found[table if table == EVERY else TableName.parse(table).sql] = _LEVELS[level]
    return found


def refuse_unread(requires: Requirements, reads: Iterable[dg.AssetKey], where: str) -> None:
    """Refuse what is required of a table that the asset does not read.

    Raises:
        UnknownName: with the nearest that it reads.
    """
    known = {".".join(key.path) for key in reads}
    for table in requires:
        if table != EVERY and table not in known:
            raise UnknownName("table", table, known, where=f"{where}: requires")


def check_requirements(
    context: dg.AssetExecutionContext, asset: dg.AssetKey, requires: Requirements
) -> None:
    """Look whether the tables that an asset reads are as it requires.

    Raises:
        NotAsRequired: which check of which table found what, in which run, and what to do.
    """
    if not requires:
        return
    found: list[Finding] = []
    for key in sorted(context.assets_def.asset_deps[asset]):
        level = requires.get(".".join(key.path)) or requires.get(EVERY)
        if level is not None and len(key.path) <= 2:
            found += _findings(context, key, level)
    if not found:
        return
    tables = ", ".join(dict.fromkeys(one.table.sql for one in found))
    raise NotAsRequired(
        "\n".join([f"{'.'.join(asset.path)} was not computed", *(f"  {one}" for one in found)]),
        fix=f"see the checks of {tables}; mend the data and materialise again, or require less "
        f"('requires'); then: etl resume {context.run.run_id}",
    )


def _findings(
    context: dg.AssetExecutionContext, key: dg.AssetKey, level: Level
) -> Iterator[Finding]:
    table = TableName.from_key(key.path)
    partitions = partitions_read(context, key)
    told: set[str | None] = set()
    for check in sorted(checks_of(context, key)):
        for record in newest_results(context, check, partitions):
            what = _judge(record, level)
            if what is not None:
                told.add(record.partition)
                yield Finding(table, level, what, record.run_id, record.partition)
    if level == "published":
        return
    for made in newest_made(context, key, partitions):
        if made.not_checked and level == "no_warnings":
            # Of such a rule an earlier result still stands.
            what = f"rules were not checked: {made.not_checked}"
            yield Finding(table, level, what, made.run_id, made.partition)
        if made.set_aside and made.partition not in told:  # a check has said it, with its rule
            what = f"{made.set_aside:,} rows went to {table.quarantine}"
            yield Finding(table, level, what, made.run_id, made.partition)


def _judge(record: AssetCheckExecutionRecord, level: Level) -> str | None:
    """What is against the newest result of a check; None if nothing is."""
    evaluation = record.evaluation
    if evaluation is None:
        return None
    error = evaluation.severity is dg.AssetCheckSeverity.ERROR
    action = _text(evaluation.metadata.get("action"), "block" if error else "warn")
    rows = getattr(evaluation.metadata.get("failed_rows"), "value", None)
    wrong = not evaluation.passed
    if action == "quarantine":
        matters = level != "published" and (wrong or bool(rows))
    else:
        matters = wrong and (level == "no_warnings" or (action == "block" and error))
    if not matters:
        return None
    return f"check {record.key.name}: {plain(evaluation.description or 'not passed')}"


def _text(value: object, default: str) -> str:
    found = getattr(value, "value", None)
    return found if isinstance(found, str) else default
