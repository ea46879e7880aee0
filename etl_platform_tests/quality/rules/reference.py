"""Every rule said once more, row by row in plain Python: what an audit has to agree with."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

Row = dict[str, Any]
Rows = list[Row]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER: Rows = [{"k": k, "n": n} for k, n in [("a", 1), ("b", 2), ("c", None)]]
"""The other table of the lake, shop.other."""

Found = list[Row] | bool
"""The bad rows, or for a rule that blames none whether the batch fails."""


def nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def per_value(bad: Callable[[Row, Any], bool]) -> Callable[[Row, Rows], Found]:
    """A rule that judges each value of its column by itself and skips nulls."""

    def judge(rule: Row, rows: Rows) -> Found:
        column = rule["column"]
        return [row for row in rows if row[column] is not None and bad(rule, row[column])]

    return judge


def _range(rule: Row, value: Any) -> bool:
    if nan(value):
        return True
    low, high = rule.get("min"), rule.get("max")
    under = low is not None and (
        value < low or (value == low and not rule.get("include_min", True))
    )
    return under or (high is not None and value > high)


def _format(rule: Row, text: str) -> bool:
    try:
        return not _FORMATS[rule["format"]](text)
    except (ValueError, RecursionError):
        return True


def _email(text: str) -> bool:
    local, _, host = text.rpartition("@")
    atoms, labels = local.split("."), host.split(".")
    return (
        all(atom and re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", atom) for atom in atoms)
        and len(labels) > 1
        and all(
            re.fullmatch("[A-Za-z0-9-]{1,63}", label) and label[0] + label[-1] != ""
            for label in labels
        )
        and not any(label.startswith("-") or label.endswith("-") for label in labels)
    )


def _url(text: str) -> bool:
    if not text.isascii() or re.search(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]", text):
        return False
    if re.search(r"%(?![0-9A-Fa-f]{2})", text) or "://" not in text:
        return False
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "ftp", "ftps") or not parts.hostname:
        return False
    rest = re.sub(r"^[A-Za-z]+://[^/?#]*", "", text, count=1)
    _ = parts.port
    return not re.search(r"[\[\]]", rest) and rest.count("#") < 2


def _uuid(text: str) -> bool:
    return str(UUID(text)) == text.lower()


def _iso_date(text: str) -> bool:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    year = int(text[:4])
    # Python has no year 0, the calendar of RFC 3339 does: a leap year, as 2000.
    date(year or 2000, int(text[5:7]), int(text[8:]))
    return True


def _iso_datetime(text: str) -> bool:
    match = re.fullmatch(
        r"(.{10})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?([Zz]|[+-]([0-9]{2}):([0-9]{2}))?",
        text,
    )
    if match is None or not _iso_date(match[1]):
        return False
    clock = int(match[2]) < 24 and int(match[3]) < 60 and int(match[4]) <= 60
    return clock and int(match[7] or 0) < 24 and int(match[8] or 0) < 60


def _phone(text: str) -> bool:
    if not re.fullmatch(r"\+[1-9][0-9\-. ()]*[0-9]", text):
        return False
    return 7 <= sum(c.isdigit() for c in text) <= 15 and not re.search(r"[\-. ()]{3}", text)


def _json(text: str) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    json.loads(text, parse_constant=refuse)
    return True


def _ip(version: type | None) -> Callable[[str], bool]:
    def valid(text: str) -> bool:
        address = ipaddress.ip_address(text)
        return "%" not in text and (version is None or isinstance(address, version))

    return valid


_FORMATS: dict[str, Callable[[str], bool]] = {
    "email": _email,
    "url": _url,
    "uuid": _uuid,
    "iso_date": _iso_date,
    "iso_datetime": _iso_datetime,
    "phone": _phone,
    "ip": _ip(None),
    "ipv4": _ip(ipaddress.IPv4Address),
    "ipv6": _ip(ipaddress.IPv6Address),
    "json": _json,
}


def _not_null(rule: Row, rows: Rows) -> Found:
    return [row for row in rows if row[rule["column"]] is None]


def _unique(rule: Row, rows: Rows) -> Found:
    def key(row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in rule["columns"])

    count = Counter(key(row) for row in rows)
    return [row for row in rows if None not in key(row) and count[key(row)] > 1]


def _foreign_key(rule: Row, rows: Rows) -> Found:
    known = {other["k"] for other in OTHER}
    return [row for row in rows if row["t"] is not None and row["t"] not in known]


def _null_share(rule: Row, rows: Rows) -> Found:
    nulls = [row for row in rows if row[rule["column"]] is None]
    return nulls if len(nulls) > Decimal(str(rule["max"])) * len(rows) else []


def _distinct(rule: Row, rows: Rows) -> Found:
    values = [row[rule["column"]] for row in rows if row[rule["column"]] is not None]
    number = len({"NaN" if nan(value) else value for value in values})
    outside = number < rule.get("min", 0) or number > rule.get("max", math.inf)
    if values and "min_ratio" in rule:
        outside |= number < Decimal(str(rule["min_ratio"])) * len(values)
    return outside


def _monotonic(rule: Row, rows: Rows) -> Found:
    falls = rule.get("direction") == "decreasing"
    column, order = rule["column"], rule["order_by"]
    groups: dict[Any, Rows] = {}
    for row in rows:
        if row[column] is not None and row[order] is not None:
            groups.setdefault(tuple(row[c] for c in rule.get("per", ())), []).append(row)
    bad: Rows = []
    for group in groups.values():
        group.sort(key=lambda row: (row[order], -row[column] if falls else row[column]))
        for before, row in pairwise(group):
            step = row[column] - before[column]
            step = -step if falls else step
            if step < 0 or (rule.get("strict") and step == 0):
                bad.append(row)
    return bad


def _expression(rule: Row, rows: Rows) -> Found:
    # n + 1 > m, as CHECK has it: unknown is good.
    return [
        row
        for row in rows
        if row["n"] is not None and row["m"] is not None and not row["n"] + 1 > row["m"]
    ]


def _row_count(rule: Row, rows: Rows) -> Found:
    return not rule.get("min", 0) <= len(rows) <= rule.get("max", math.inf)


def _aggregated(rule: Row, rows: Rows) -> bool:
    values = [row[rule["column"]] for row in rows if row[rule["column"]] is not None]
    result: Any
    match rule["aggregate"]:
        case "count":
            result = len(values)
        case "count_distinct":
            result = len(set(values))
        case _ if not values:
            return False
        case "sum":
            result = sum(values)
        case "min":
            result = min(values)
        case "max":
            result = max(values)
        case "avg":
            result = statistics.fmean(values)
        case "median":
            result = statistics.median(values)
        case "stddev" | "variance" if len(values) < 2:
            return False
        case "stddev":
            result = statistics.stdev(values)
        case "variance":
            result = statistics.variance(values)
    low, high = rule.get("min"), rule.get("max")
    return (low is not None and result < low) or (high is not None and result > high)


def _aggregate(rule: Row, rows: Rows) -> Found:
    if "group_by" not in rule:
        return _aggregated(rule, rows)
    groups: dict[Any, Rows] = {}
    for row in rows:
        if row[rule["group_by"]] is not None:
            groups.setdefault(row[rule["group_by"]], []).append(row)
    return [row for group in groups.values() if _aggregated(rule, group) for row in group]


def _freshness(rule: Row, rows: Rows) -> Found:
    values = [row[rule["column"]] for row in rows if row[rule["column"]] is not None]
    age = timedelta(days=float(rule["max_age"][:-1]))
    return not values or max(values) < (NOW - age).replace(tzinfo=None)


def _reconcile(rule: Row, rows: Rows) -> Found:
    def result(of: Rows) -> int:
        if rule["aggregate"] == "count":
            return len(of)
        return sum(row["n"] for row in of if row["n"] is not None)

    return abs(result(rows) - result(OTHER)) > rule.get("tolerance", 0)


def _sql(rule: Row, rows: Rows) -> Found:
    # Rows that are larger than their counterpart in the other table.
    number = {other["k"]: other["n"] for other in OTHER if other["n"] is not None}
    return [row for row in rows if row["n"] is not None and row["n"] > number.get(row["t"], 10**9)]


def _negative(rule: Row, rows: Rows) -> Found:
    return [row for row in rows if row["n"] is not None and row["n"] < 0]


REFERENCE: dict[str, Callable[[Row, Rows], Found]] = {
    "not_null": _not_null,
    "unique": _unique,
    "range": per_value(_range),
    "set": per_value(lambda rule, value: value not in rule["values"]),
    "not_in_set": per_value(lambda rule, value: value in rule["values"]),
    "regex": per_value(lambda rule, value: not re.fullmatch(rule["pattern"], value)),
    "length": per_value(lambda rule, value: not rule["min"] <= len(value) <= rule["max"]),
    "format": per_value(_format),
    "finite": per_value(lambda rule, value: not math.isfinite(value)),
    "null_share": _null_share,
    "distinct": _distinct,
    "monotonic": _monotonic,
    "expression": _expression,
    "foreign_key": _foreign_key,
    "row_count": _row_count,
    "aggregate": _aggregate,
    "freshness": _freshness,
    "reconcile": _reconcile,
    "sql": _sql,
    "python": _negative,
}
"""By the rule's kind; dtype is about no value."""
