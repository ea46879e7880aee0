"""Expected rows beside those that came."""

from __future__ import annotations

from decimal import Decimal

import pytest

from etl_platform.transforms.testing.comparing import Cells, compare

COLUMNS = ("id", "name", "total")


def kinds(expected: list[Cells], actual: list[Cells], *, ordered: bool = False) -> list[str]:
    return [line.kind for line in compare(COLUMNS, expected, actual, ordered=ordered).lines]


def test_rows_are_compared_as_often_as_each_occurs_and_in_any_order() -> None:
    a, b = (1, "a", 1.0), (2, "b", 2.0)
    assert kinds([a, b, a], [b, a, a]) == []
    assert kinds([a, b], [a, a, b]) == ["unexpected"]
    assert kinds([a, a, b], [a, b]) == ["missing"]


def test_the_order_counts_where_it_is_asked_for() -> None:
    a, b = (1, "a", 1.0), (2, "b", 2.0)
    assert kinds([a, b], [b, a], ordered=True) == ["differs", "differs"]
    assert kinds([a, b], [a], ordered=True) == ["missing"]


def test_a_wrong_cell_is_told_as_one_beside_the_row_that_is_most_like_it() -> None:
    found = compare(
        COLUMNS,
        [(1, "a", 1.0), (2, "b", 2.0)],
        [(3, "z", 9.0), (2, "b", 2.5), (1, "a", 1.0)],
        ordered=False,
    )
    differs, unexpected = found.lines
    assert (differs.expected, differs.actual) == ((2, "b", 2.0), (2, "b", 2.5))
    assert differs.columns == {2}
    assert (unexpected.kind, unexpected.actual) == ("unexpected", (3, "z", 9.0))
    assert found.same == 1


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        (1.0, 1.0001, False),
        (float("nan"), float("nan"), True),
        (None, None, True),
        (None, 0, False),
        (Decimal("0.10"), Decimal("0.1"), True),
        (Decimal("0.10"), Decimal("0.11"), False),
        ([1, 0.1 + 0.2], [1, 0.3], True),
        ({"x": None}, {"x": 1}, False),
        (True, 1, False),
        ("ä", "a\u0308", False),
    ],
)
def test_values_are_equal_exactly_but_for_the_last_digits_of_floats(
    a: object, b: object, same: bool
) -> None:
    assert (kinds([(1, "a", a)], [(1, "a", b)]) == []) is same
