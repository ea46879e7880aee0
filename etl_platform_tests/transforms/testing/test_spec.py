"""Files of unit tests: what is read from them, and where what is wrong stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.transforms.testing.spec import read_tests

WHOLE = """\
tests:
  - name: a day
    now: 2024-02-29T12:00:00Z
    given:
      shop.orders:
        - {id: 1, country: NO, paid: true, at: 2024-01-01, amount: 0.10, tags: [a, null], note: ~}
    expect:
      rows: [{n: 1}]
      columns: [n]
      ordered: true
  - {name: refused, expect: {error: too many}}
"""


def test_values_stay_as_they_are_written_until_a_column_types_them(tmp_path: Path) -> None:
    path = tmp_path / "daily.test.yaml"
    path.write_text(WHOLE)
    first, second = read_tests(path)
    (row,) = first.given[TableName("shop", "orders")]
    assert row.values == {
        "id": "1",
        "country": "NO",
        "paid": "true",
        "at": "2024-01-01",
        "amount": "0.10",
        "tags": ("a", None),
        "note": None,
    }
    assert (first.now, row.line) == (datetime(2024, 2, 29, 12, tzinfo=UTC), 6)
    assert (first.expect.columns, first.expect.ordered) == (("n",), True)
    assert (second.expect.error, second.line) == ("too many", 11)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {name: a, expect: [}", ":1: not valid YAML"),
        ("- name: a\n  expected: []", ":2: unknown key of a test 'expected'"),
        ("test: []", ":1: unknown key 'test'"),
        ("- name: a", ":1: a test needs 'expect'"),
        ("- {expect: []}", ":1: a test needs 'name'"),
        ("- name: a\n  expect: {rows: [], error: b}", ":2: expect either rows or an error"),
        ("- name: a\n  expect:\n    - 1", ":3: a row is no mapping"),
        ("- name: a\n  expect: {}\n", ":2: expect either rows or an error"),
        ("- name: a\n  given: {shop.o: {}}\n  expect: []", ":2: rows is no list"),
        ("- name: a\n  given: {a.b.c: []}\n  expect: []", ":2: "),
        ("- name: a\n  now: noon\n  expect: []", ":2: now is 'noon'"),
        ("- name: a\n  expect: [{n: 1, n: 2}]", ":2: 'n' stands twice"),
        ("- {name: a, expect: []}\n- {name: a, expect: []}", ":2: a test 'a' stands twice"),
        ("", ":1: tests is no list"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "daily.test.yaml"
    path.write_text(text)
    with pytest.raises(EtlError) as raised:
        read_tests(path)
    assert f"{path}{said}" in str(raised.value)
