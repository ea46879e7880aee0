"""Each kind of step with options, and what it does to rows, written down in plain Python."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Rows = list[Row]
Reference = Callable[[Rows, Rows], Rows]


@dataclass(frozen=True)
class Case:
    """A step and its reference: rows before it, rows of ``s.others``, rows after it."""

    step: dict[str, Any]
    reference: Reference


def _plus(row: Row, **more: Any) -> Row:
    return {**row, **more}


def _but(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def plain(value: Any) -> Any:
    """A value in the form in which equal ones are equal and can be counted."""
    if isinstance(value, Decimal):
        return value.normalize() + 0
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, list):
        return tuple(plain(one) for one in value)
    if isinstance(value, dict):
        return tuple(sorted((name, plain(one)) for name, one in value.items()))
    return value


def _whole(row: Row) -> tuple[Any, ...]:
    return tuple(plain(value) for value in row.values())


def _groups(rows: Rows, *names: str) -> dict[tuple[Any, ...], Rows]:
    found: dict[tuple[Any, ...], Rows] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in names)].append(row)
    return found


OUTSIDE = {"a": 1.5, "b-c": None, "é": -2.25, "": 0.0, "a\n'b": 7.0, "unasked": 1.0}
"""Key to value of a table outside of the lake, which ``env://OUTSIDE_URL`` refers to."""
_ASKED: dict[str, Any] = {
    "database": "env://OUTSIDE_URL",
    "table": "values_of",
    "on": {"k": "key"},
    "columns": {"value": "DOUBLE"},
}


def _enriched(missing: str) -> Reference:
    return lambda rows, _: [
        _plus(row, value=OUTSIDE.get(row["k"]))
        for row in rows
        if missing == "null" or row["k"] in OUTSIDE
    ]


def _sum(values: list[Any]) -> Any:
    there = [value for value in values if value is not None]
    return sum(there[1:], there[0]) if there else None


def _distinct(rows: Rows, _: Rows) -> Rows:
    return list({_whole(row): row for row in rows}.values())


def _newest(rows: Rows, _: Rows) -> Rows:
    """By k the row with the largest at, nulls last; of equals the smallest id, which is unique."""
    kept: Rows = []
    for group in _groups(rows, "k").values():
        timed = [row for row in group if row["at"] is not None]
        newest = max((row["at"] for row in timed), default=None)
        kept.append(min((r for r in group if r["at"] == newest), key=lambda r: r["id"]))
    return kept


def _oldest_last(rows: Rows, _: Rows) -> Rows:
    """By k the last in the order of id."""
    return [max(group, key=lambda row: row["id"]) for group in _groups(rows, "k").values()]


def _forward(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for group in _groups(rows, "k").values():
        last = None
        for row in sorted(group, key=lambda row: row["id"]):
            last = row["n"] if row["n"] is not None else last
            found.append(_plus(row, n=last))
    return found


def _backward(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for group in _groups(rows, "k").values():
        after = None
        for row in sorted(group, key=lambda row: -row["id"]):
            after = row["n"] if row["n"] is not None else after
            found.append(_plus(row, n=after))
    return found


def _split_join(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        parts = [] if row["k"] is None else row["k"].split("-", 1)
        a, b = (*parts, None, None)[:2]
        found.append(_plus(_but(row, "k"), a=a, b=b))
    return found


def _split_drop(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        parts = [] if row["k"] is None else row["k"].split("-")
        a, b = (*parts, None, None)[:2]
        found.append(_plus(row, a=a, b=b))
    return found


def _masked(rows: Rows, _: Rows) -> Rows:
    def last(text: str | None) -> str | None:
        if text is None:
            return None
        return f"***{text[-2:]}" if len(text) > 2 else "***"

    return [
        _plus(
            row,
            k=last(row["k"]),
            n=None if row["n"] is None else hashlib.sha256(f"x{row['n']}".encode()).hexdigest(),
            d=None if row["d"] is None else "***",
            at=None,
        )
        for row in rows
    ]


def _exploded(rows: Rows, _: Rows) -> Rows:
    return [_plus(row, tags=tag) for row in rows for tag in row["tags"] or []]


def _exploded_kept(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        if not row["tags"]:
            found.append(_plus(_but(row, "tags"), tag=None, place=None))
        for place, tag in enumerate(row["tags"] or [], 1):
            found.append(_plus(_but(row, "tags"), tag=tag, place=place))
    return found


def _unnested(rows: Rows, _: Rows) -> Rows:
    return [
        _plus(
            _but(row, "s"),
            s_a=None if row["s"] is None else row["s"]["a"],
            s_b=None if row["s"] is None else row["s"]["b"],
        )
        for row in rows
    ]


def _pivoted(rows: Rows, _: Rows) -> Rows:
    return [
        {
            "n": key[0],
            "of_a": _sum([row["d"] for row in group if row["k"] == "a"]),
            "of_b-c": _sum([row["d"] for row in group if row["k"] == "b-c"]),
        }
        for key, group in _groups(rows, "n").items()
    ]


def _unpivoted(rows: Rows, _: Rows) -> Rows:
    return [
        {"id": row["id"], "quarter": name, "count": row[name]}
        for row in rows
        for name in ("q1", "q2")
        if row[name] is not None
    ]


def _matches(row: Row, others: Rows) -> Rows:
    return [o for o in others if row["k"] is not None and o["k"] == row["k"]]


def _left(rows: Rows, others: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        for other in _matches(row, others) or [{"v": None}]:
            found.append(_plus(row, v=other["v"]))
    return found


def _inner(rows: Rows, others: Rows) -> Rows:
    return [_plus(row, w=other["v"]) for row in rows for other in _matches(row, others)]


def _looked_up(rows: Rows, others: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        there = _matches(row, others)
        found.append(_plus(row, v=there[0]["v"] if there else -1.5))
    return found


def _asof(rows: Rows, others: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        there = [
            o
            for o in _matches(row, others)
            if row["at"] is not None and o["since"] is not None and o["since"] <= row["at"]
        ]
        newest = max(there, key=lambda o: o["since"], default=None)
        if newest is not None and row["at"] - newest["since"] > timedelta(hours=36):
            newest = None
        found.append(_plus(row, v=None if newest is None else newest["v"]))
    return found


def _grouped(rows: Rows, _: Rows) -> Rows:
    return [
        {
            "k": key[0],
            "rows": len(group),
            "there": sum(row["n"] is not None for row in group),
            "total": _sum([row["d"] for row in group]),
            "newest": max((row["tz"] for row in group if row["tz"] is not None), default=None),
        }
        for key, group in _groups(rows, "k").items()
    ]


def _all_together(rows: Rows, _: Rows) -> Rows:
    return [{"rows": len(rows), "kinds": len({row["k"] for row in rows} - {None})}]


def _by_day(rows: Rows, _: Rows) -> Rows:
    days: dict[Any, int] = defaultdict(int)
    for row in rows:
        at: datetime | None = row["at"]
        days[None if at is None else datetime(at.year, at.month, at.day)] += 1
    return [{"day": day, "rows": count} for day, count in days.items()]


def _ranked(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for group in _groups(rows, "k").values():
        before, total = None, None
        for number, row in enumerate(sorted(group, key=lambda row: row["id"]), 1):
            if row["d"] is not None:
                total = row["d"] if total is None else total + row["d"]
            found.append(_plus(row, place=number, before=before, so_far=total))
            before = row["n"]
    return found


def _last_three(rows: Rows, _: Rows) -> Rows:
    inorder = sorted(rows, key=lambda row: row["id"])
    found: Rows = []
    for place, row in enumerate(inorder):
        there = [one["n"] for one in inorder[max(0, place - 2) : place + 1]]
        found.append(_plus(row, most=max((n for n in there if n is not None), default=None)))
    return found


def _sessions(rows: Rows, _: Rows) -> Rows:
    found: Rows = []
    for group in _groups(rows, "k").values():
        number, before, began = 0, None, None
        timed = sorted((row for row in group if row["at"] is not None), key=lambda row: row["at"])
        for row in timed:
            if before is None or row["at"] - before > timedelta(hours=6):
                number, began = number + 1, row["at"]
            before = row["at"]
            found.append(_plus(row, session=number, began=began))
        found += [_plus(row, session=None, began=None) for row in group if row["at"] is None]
    return found


def _sizes(rows: Rows, _: Rows) -> Rows:
    def size(d: Decimal | None) -> str:
        if d is None:
            return "none"
        return "large" if d > 100 else "small" if d >= 0 else "other"

    return [_plus(row, size=size(row["d"])) for row in rows]


def _unioned(rows: Rows, others: Rows) -> Rows:
    names = ["id", "k", "v", "since"]
    kept = [{"id": row["id"], "k": row["k"], "v": None, "since": None} for row in rows]
    return kept + [{name: row.get(name) for name in names} for row in others]


def _fitting(rows: Rows, _: Rows) -> Rows:
    return [
        _plus(row, d=None if row["d"] is None else int(row["d"]))
        for row in rows
        if row["d"] is None or row["d"] == row["d"].to_integral_value()
    ]


def _fitting_or_null(rows: Rows, _: Rows) -> Rows:
    def whole(text: str | None) -> int | None:
        try:
            return None if text is None else int(text)
        except ValueError:
            return None

    return [_plus(row, k=whole(row["k"])) for row in rows]


_KEYED = {"table": "s.others", "on": {"k": "k"}}
CASES: dict[str, list[Case]] = {
    "select": [
        Case({"select": ["k", "ID"]}, lambda rows, _: [{"k": r["k"], "id": r["id"]} for r in rows]),
        Case({"select": {"key": "k"}}, lambda rows, _: [{"key": r["k"]} for r in rows]),
    ],
    "drop": [Case({"drop": ["tags", "s"]}, lambda rows, _: [_but(r, "tags", "s") for r in rows])],
    "rename": [
        Case(
            {"rename": {"k": "select", "n": "N 2"}},
            lambda rows, _: [
                {{"k": "select", "n": "N 2"}.get(name, name): v for name, v in r.items()}
                for r in rows
            ],
        )
    ],
    "cast": [
        Case({"cast": {"columns": {"d": "BIGINT"}, "on_error": "drop"}}, _fitting),
        Case({"cast": {"columns": {"k": "INTEGER"}, "on_error": "null"}}, _fitting_or_null),
        Case({"cast": {"id": "DECIMAL(20, 2)"}}, lambda rows, _: rows),
    ],
    "derive": [
        Case(
            {"derive": {"twice": "n * 2", "n": "coalesce(n, 0)"}},
            lambda rows, _: [
                _plus(r, n=r["n"] or 0, twice=None if r["n"] is None else r["n"] * 2) for r in rows
            ],
        )
    ],
    "fill": [
        Case(
            {"fill": {"k": "nothing", "d": 1.5}},
            lambda rows, _: [
                _plus(
                    r,
                    k="nothing" if r["k"] is None else r["k"],
                    d=Decimal("1.50") if r["d"] is None else r["d"],
                )
                for r in rows
            ],
        ),
        Case({"fill": {"forward": ["n"], "by": ["k"], "order": ["id"]}}, _forward),
        Case({"fill": {"backward": ["n"], "by": ["k"], "order": ["id"]}}, _backward),
    ],
    "split": [
        Case(
            {"split": {"column": "k", "by": "-", "into": ["a", "b"], "more": "join"}}, _split_join
        ),
        Case(
            {"split": {"column": "k", "by": "-", "into": ["a", "b"], "more": "drop", "keep": True}},
            _split_drop,
        ),
    ],
    "mask": [
        Case(
            {
                "mask": {
                    "columns": {"k": "last:2", "n": "hash", "d": "redact", "at": "null"},
                    "salt": "x",
                }
            },
            _masked,
        )
    ],
    "filter": [
        Case(
            {"filter": "n > 0 OR k = 'é'"},
            lambda rows, _: [
                r for r in rows if (r["n"] is not None and r["n"] > 0) or r["k"] == "é"
            ],
        )
    ],
    "deduplicate": [
        Case({"deduplicate": {}}, _distinct),
        Case({"deduplicate": {"by": ["k"], "order": ["at desc"]}}, _newest),
        Case({"deduplicate": {"by": ["k"], "order": ["id"], "keep": "last"}}, _oldest_last),
    ],
    "sample": [Case({"sample": {"share": 1.0}}, lambda rows, _: rows)],
    "union": [Case({"union": {"add": "s.others", "missing": "null"}}, _unioned)],
    "explode": [
        Case({"explode": "tags"}, _exploded),
        Case(
            {"explode": {"column": "tags", "into": "tag", "position": "place", "keep_empty": True}},
            _exploded_kept,
        ),
    ],
    "unnest": [Case({"unnest": {"column": "s", "prefix": "s_"}}, _unnested)],
    "pivot": [
        Case(
            {
                "pivot": {
                    "by": ["n"],
                    "column": "k",
                    "values": ["a", "b-c"],
                    "aggregate": "sum(d)",
                    "prefix": "of_",
                }
            },
            _pivoted,
        )
    ],
    "unpivot": [
        Case(
            {
                "unpivot": {
                    "columns": ["q1", "q2"],
                    "name": "quarter",
                    "value": "count",
                    "keep_nulls": False,
                }
            },
            _unpivoted,
        )
    ],
    "join": [
        Case({"join": {**_KEYED, "columns": ["v"], "expect": "many_to_many"}}, _left),
        Case(
            {
                "join": {
                    **_KEYED,
                    "kind": "inner",
                    "columns": {"v": "w"},
                    "expect": "many_to_many",
                }
            },
            _inner,
        ),
        Case(
            {"join": {**_KEYED, "kind": "semi"}},
            lambda rows, others: [r for r in rows if _matches(r, others)],
        ),
        Case(
            {"join": {**_KEYED, "kind": "anti"}},
            lambda rows, others: [r for r in rows if not _matches(r, others)],
        ),
    ],
    "lookup": [Case({"lookup": {**_KEYED, "columns": ["v"], "default": {"v": -1.5}}}, _looked_up)],
    "asof_join": [
        Case(
            {
                "asof_join": {
                    **_KEYED,
                    "at": "at",
                    "with": "since",
                    "within": "36h",
                    "columns": ["v"],
                }
            },
            _asof,
        )
    ],
    "aggregate": [
        Case(
            {
                "aggregate": {
                    "by": ["k"],
                    "values": {
                        "rows": "count(*)",
                        "there": "count(n)",
                        "total": "sum(d)",
                        "newest": "max(tz)",
                    },
                }
            },
            _grouped,
        ),
        Case(
            {"aggregate": {"values": {"rows": "count(*)", "kinds": "count(DISTINCT k)"}}},
            _all_together,
        ),
        Case(
            {"aggregate": {"by": {"day": "date_trunc('day', at)"}, "values": {"rows": "count(*)"}}},
            _by_day,
        ),
    ],
    "window": [
        Case(
            {
                "window": {
                    "by": ["k"],
                    "order": ["id"],
                    "rows": "so_far",
                    "values": {"place": "row_number()", "before": "lag(n)", "so_far": "sum(d)"},
                }
            },
            _ranked,
        ),
        Case({"window": {"order": ["id"], "rows": "2", "values": {"most": "max(n)"}}}, _last_three),
    ],
    "sessionise": [
        Case({"sessionise": {"by": ["k"], "at": "at", "gap": "6h", "start": "began"}}, _sessions)
    ],
    "rules": [
        Case(
            {
                "rules": {
                    "column": "size",
                    "rules": [
                        {"when": "d IS NULL", "then": "none"},
                        {"when": "d > 100", "then": "large"},
                        {"when": "d >= 0", "then": "small"},
                    ],
                    "default": "other",
                }
            },
            _sizes,
        )
    ],
    "enrich": [
        Case({"enrich": {**_ASKED, "missing": missing}}, _enriched(missing))
        for missing in ("null", "drop")
    ],
    "python": [
        Case(
            {
                "python": {
                    "function": "doubled",
                    "columns": {"k": "VARCHAR", "n": "BIGINT"},
                    "options": {"by": 3},
                }
            },
            lambda rows, _: [
                {"k": r["k"], "n": None if r["n"] is None else r["n"] * 3} for r in rows
            ],
        )
    ],
}
BEFORE: dict[str, list[dict[str, Any]]] = {
    "union": [{"select": ["id", "k"]}],
    "deduplicate": [],
    "unpivot": [{"select": ["id", "q1", "q2"]}],
}
"""Steps that bring the rows into the form that the reference has."""
UNIQUE_OTHERS = frozenset({"lookup", "asof_join"})
"""Steps that refuse keys which occur twice in the other table."""

__all__ = ["BEFORE", "CASES", "OUTSIDE", "UNIQUE_OTHERS", "Case", "plain"]
