"""What running a query took, operator by operator, as DuckDB measured it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from etl_platform.planner.plan import Plan, TableInput
from etl_platform.query.execution import Finished

_Node: TypeAlias = Mapping[str, Any]
WITHHELD = (
    "what single operators did is not told: a policy changes what is seen of {tables}, and their "
    "rows and conditions would tell of rows and values that are hidden"
)
_TOLD = {
    "Groups": "by",
    "Aggregates": "",
    "Join Type": "",
    "Conditions": "on",
    "Filters": "where",
    "Expression": "",
    "Order By": "by",
    "Limit": "",
    "Top": "",
}
"""What DuckDB tells of an operator, and the word that stands before it here."""
_SHOWN = 100
_PLACES = re.compile(r"#\d+((, | AND )#\d+)*")
"""Columns by number say nothing to people."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One operator of DuckDB, as it ran.

    Attributes:
        kind: DuckDB's name, in lower case.
        detail: conditions, keys or functions.
        rows: that it handed on.
        seconds: of processor time, without its children.
        tables: the lake tables below it, each as often as it is read there.
    """

    kind: str
    detail: str
    rows: int
    seconds: float
    tables: tuple[str, ...]
    children: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """What running a query took.

    Attributes:
        seconds: of wall clock, from asking a process for it to its last row.
        cpu_seconds: of all its operators on all threads.
        peak_bytes: of the process's memory.
        read_bytes: read from files; footers and the columns that are needed.
        rows: of the result.
        root: the operators; None where they are withheld.
        withheld: why they are, or an empty text.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    read_bytes: int
    rows: int
    root: Measured | None
    withheld: str = ""


def measurement(finished: Finished, plan: Plan) -> Measurement | None:
    """What a run measured; None when it was not to measure anything.

    Where a policy changes what the role sees of a table, only totals are told: the operators'
    conditions hold row filters and the names of masked columns, and how many rows come out of a
    scan tells of rows that the role does not see.
    """
    if finished.profile is None:
        return None
    told: _Node = json.loads(finished.profile)
    policed = [table.table.sql for table in plan.inputs if table.view_sql is not None]
    roots = _children(told, "operator")
    return Measurement(
        seconds=finished.seconds,
        cpu_seconds=_number(_part(told, "query"), "cpu_time"),
        peak_bytes=finished.peak_bytes,
        read_bytes=int(_number(_part(told, "io"), "total_bytes_read")),
        rows=finished.rows,
        root=None if policed or not roots else _operator(roots[0], plan.inputs),
        withheld=WITHHELD.format(tables=", ".join(policed)) if policed else "",
    )


def _operator(node: _Node, inputs: Sequence[TableInput]) -> Measured:
    children = tuple(_operator(child, inputs) for child in _children(node, "children"))
    about = _part(node, "extra_info")
    kind = str(node.get("type") or "").lower()
    if kind == "result_collector" and len(children) == 1:
        return children[0]
    below = [name for child in children for name in child.tables]
    read = _read(str(about.get("Filename(s)") or ""), inputs)
    detail = _detail(about, kind)
    if read is not None:
        below.append(read)
        detail = f"{read} {detail}".rstrip()
    return Measured(
        kind=kind,
        detail=detail,
        rows=int(_number(node, "intermediate_rows")),
        seconds=_number(node, "timing"),
        tables=tuple(sorted(below)),
        children=children,
    )


def _read(files: str, inputs: Sequence[TableInput]) -> str | None:
    """The table whose files a scan names; DuckDB lists the first ones, with commas between."""
    for table in inputs:
        if any(files == uri or files.startswith(f"{uri}, ") for uri in table.uris):
            return table.table.sql
    return None


def _detail(about: _Node, kind: str) -> str:
    parts: list[str] = []
    for name, word in _TOLD.items():
        value = about.get(name)
        between = " AND " if name in ("Conditions", "Filters") else ", "
        text = between.join(map(str, value)) if isinstance(value, list) else str(value or "")
        if text and not _PLACES.fullmatch(text):
            parts.append(text if kind == "order_by" else f"{word} {text}".strip())
    text = " ".join(" ".join(parts).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _children(node: _Node, name: str) -> list[_Node]:
    found = node.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _part(node: _Node, name: str) -> _Node:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _number(node: _Node, name: str) -> float:
    found = node.get(name)
    return float(found) if isinstance(found, int | float) else 0.0
