"""Expected rows beside those that came: what is missing, what is too much, what differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Cells: TypeAlias = tuple[object, ...]

_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
_MANY = 200
"""Rows beyond which a differing row is not looked for its nearest one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a difference.

    Attributes:
        kind: ``missing`` was expected and did not come, ``unexpected`` came and was not expected,
            ``differs`` came otherwise than expected.
        expected: the cells that were expected, None of an unexpected row.
        actual: the cells that came, None of a missing row.
        columns: positions of the cells that differ.
    """

    kind: Literal["missing", "unexpected", "differs"]
    expected: Cells | None
    actual: Cells | None
    columns: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is not as expected; nothing when ``lines`` is empty.

    ``same`` is the number of rows that are as expected.
    """

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    same: int


def compare(
    columns: Sequence[str], expected: Sequence[Cells], actual: Sequence[Cells], *, ordered: bool
) -> Difference:
    """Compare rows, as often as each occurs.

    Floats are equal within a relative 1e-9 (sums depend on the order of their parts); every other
    type is compared exactly, and null equals null. Rows without a counterpart are told in pairs
    that have most cells in common, so that a wrong value shows as one.

    Args:
        ordered: whether the n-th row has to be the n-th.
    """
    if ordered:
        pairs = list(zip(expected, actual, strict=False))
        lines = [_line(a, b) for a, b in pairs if not _same(a, b)]
        same = len(pairs) - len(lines)
        lines += [Line("missing", row, None) for row in expected[len(pairs) :]]
        lines += [Line("unexpected", None, row) for row in actual[len(pairs) :]]
        return Difference(tuple(columns), tuple(lines), same)
    left = list(actual)
    alone: list[Cells] = []
    for row in expected:
        found = next((i for i, other in enumerate(left) if _same(row, other)), None)
        if found is None:
            alone.append(row)
        else:
            del left[found]
    same = len(expected) - len(alone)
    lines: list[Line] = []
    for row in alone:
        nearest = _nearest(row, left)
        if nearest is None:
            lines.append(Line("missing", row, None))
        else:
            lines.append(_line(row, left.pop(nearest)))
    lines += [Line("unexpected", None, row) for row in left]
    return Difference(tuple(columns), tuple(lines), same)


def _nearest(row: Cells, others: Sequence[Cells]) -> int | None:
    if len(others) > _MANY:
        return None
    best, found = 0, None
    for i, other in enumerate(others):
        common = sum(_equal(a, b) for a, b in zip(row, other, strict=True))
        if common > best:
            best, found = common, i
    return found


def _line(expected: Cells, actual: Cells) -> Line:
    pairs = enumerate(zip(expected, actual, strict=True))
    different = frozenset(i for i, (a, b) in pairs if not _equal(a, b))
    return Line("differs", expected, actual, different)


def _same(expected: Cells, actual: Cells) -> bool:
    return all(_equal(a, b) for a, b in zip(expected, actual, strict=True))


def _equal(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return math.isclose(a, b, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b
