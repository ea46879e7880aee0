from __future__ import annotations

from pathlib import Path

import pytest

from etl_platform.core.objects import LocalStore
from etl_platform.sources.files import BadFile, detect, infer, read, sample

GOOD = b'{"id": 1, "x": 1.5, "s": {"t": ["a"]}}\n'
MANY = GOOD * 8000
LATE = 8001
CASES: dict[str, tuple[bytes, str]] = {
    "more digits than a double": (
        b'{"id": 1, "x": 0.12345678901234567891}',
        "0.12345678901234567891 is not exactly a double",
    ),
    "a whole number that no double holds": (
        b'{"id": 1, "x": 9007199254740993}',
        "is not exactly a double",
    ),
    "above 64 bits": (b'{"id": 9223372036854775808}', "9223372036854775808"),
    "a fraction": (b'{"id": 1.5}', "1.5"),
    "a text": (b'{"id": "1"}', "id"),
    "a structure": (b'{"id": {"a": 1}}', "id"),
    "a new field": (b'{"id": 1, "new": 1}', "a field that the schema does not have"),
    "a new field within a structure": (b'{"s": {"u": 1}}', "a field that the schema does not have"),
    "a field twice": (b'{"id": 1, "id": 2}', "2 times"),
    "a list": (b"[1, 2]", "list"),
    "two objects": (b'{"id": 1}{"id": 2}', "more than one object"),
    "NaN": (b'{"x": NaN}', "NaN"),
    "a trailing comma": (b'{"id": 1,}', "not JSON"),
    "a byte that is not UTF-8": (b'{"s": {"t": ["\xff"]}}', "not utf-8"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_comes_late_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    line, reason = CASES[name]
    store = LocalStore(tmp_path)
    store.put("file", MANY + line + b"\n" + GOOD)
    info = store.head("file")
    assert info is not None
    first = sample(store, info)
    form = detect(first)
    schema = infer(first, form).schema
    with pytest.raises(BadFile, match=reason) as caught:
        list(read(store, info, form, schema))
    assert caught.value.line == LATE
