"""JSON messages become typed rows; what cannot is rejected with its reason."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_platform.core.errors import ConfigError
from etl_platform.sources.stream.formats import JsonFormat
from etl_platform_tests.sources.stream.formats.messages import batch

COLUMNS: dict[str, Any] = {
    "id": {"type": "int64", "required": True},
    "small": "int8",
    "ratio": "float64",
    "coarse": "float32",
    "price": "decimal(10, 2)",
    "name": "string",
    "ok": "bool",
    "day": "date",
    "at": "timestamptz",
    "local": "timestamp",
    "ms": {"type": "timestamptz", "unit": "ms"},
    "home": {"fields": {"street": "string", "no": {"type": "int32", "required": True}}},
    "tags": "list<string>",
}
DECODER = JsonFormat.model_validate({"columns": COLUMNS}).decoder()
POISON = {
    b"": "the message is empty",
    b" \n": "only whitespace",
    b'{"id": 1': "not JSON",
    b"hello": "not JSON",
    b"[1, 2]": "a list, not an object",
    b"42": "a number, not an object",
    b"null": "null, not an object",
    b'{"id": 1}{"id": 2}': "more than one object",
    b'{"id": 1} trailing': "text after the object",
    b'{"id": 1, "name": "\xff"}': "byte 0xff at position 19 is not UTF-8",
    b'\xef\xbb\xbf{"id": 1}': "byte order mark",
    b'{"id": 1, "ratio": NaN}': "NaN is no number",
    b'{"id": 1, "other": -Infinity}': "-Infinity is no number",
    b'{"id": 1,}': "not JSON",
    b"{'id': 1}": "not JSON",
    b'{"id": 1, "id": 2}': "field 'id' occurs 2 times",
    b'{"id": "1"}': "field 'id': \"1\" is a text, not a number (int64)",
    b'{"id": 1.0}': "1.0 is not written as a whole number",
    b'{"id": 9223372036854775808}': "9223372036854775808 does not fit int64",
    b'{"id": 1, "small": 128}': "field 'small': 128 does not fit int8",
    b'{"id": 1, "ratio": 1e400}': "1e400 is too large for double",
    b'{"id": 1, "coarse": 1e39}': "'coarse'",
    b'{"id": 1, "price": 1.234}': "1.234 has more than 2 decimal places",
    b'{"id": 1, "price": 123456789.01}': "does not fit decimal128(10, 2)",
    b'{"id": 1, "name": 7}': "field 'name': 7 is a number, not a text",
    b'{"id": 1, "name": "\\ud83d"}': "surrogate",
    b'{"id": 1, "ok": 1}': "field 'ok': 1 is a number, not true or false",
    b'{"id": 1, "day": "2024-02-30"}': "column 'day': '2024-02-30' is not a date",
    b'{"id": 1, "at": "2024-01-02T03:04:05"}': "column 'at'",
    b'{"id": 1, "local": "2024-01-02T03:04:05Z"}': "a time without zone",
    b'{"id": 1, "ms": 1700000000000000}': "column 'ms'",
    b'{"id": 1, "home": []}': "field 'home': [...] is a list, not an object",
    b'{"id": 1, "home": {"street": "x"}}': "column 'home.no' is required",
    b'{"id": 1, "home": {"no": "1"}}': "field 'home.no'",
    b'{"id": 1, "tags": ["a", 1]}': "field 'tags[]': 1 is a number, not a text",
    b'{"name": "x"}': "column 'id' is required",
    b'{"id": null}': "column 'id' is required",
    b'{"id": 1, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}": "nested deeper than 200",
    b'{"id": 1, "x": ' + b'{"a":[' * 300 + b"]}" * 300 + b"}": "nested deeper than 200",
}


def test_messages_become_rows_with_the_chosen_columns_of_the_message() -> None:
    declared = {"id": {"type": "int64", "required": True}, "at": "timestamptz"}
    form = JsonFormat.model_validate({"columns": declared, "key": True, "headers": True})
    decoder = form.decoder()
    got = decoder.decode(batch([b'{"id": 1, "at": "2024-01-02T03:04:05Z"}', b"{", b'{"id": 2}']))
    assert got.rows.schema == decoder.schema(pa.int64())
    assert got.rows["id"].to_pylist() == [1, 2]
    assert got.rows["_key"].to_pylist() == [b"k0", b"k2"]
    assert got.rows["_source_position"].to_pylist() == [0, 2]
    assert got.rejected["position"].to_pylist() == [1]
    assert got.rejected["value"].to_pylist() == [b"{"]
    assert "not JSON" in got.rejected["reason"][0].as_py()


def test_every_kind_of_poison_is_named_and_harms_no_message_beside_it() -> None:
    values: list[bytes] = []
    for number, poison in enumerate(POISON):
        values += [b'{"id": %d, "name": "good"}' % number, poison]
    got = DECODER.decode(batch(values))
    assert got.rows["id"].to_pylist() == list(range(len(POISON)))
    assert got.rejected["value"].to_pylist() == list(POISON)
    reasons = got.rejected["reason"].to_pylist()
    wrong = [pair for pair in zip(POISON.values(), reasons, strict=True) if pair[0] not in pair[1]]
    assert not wrong
    assert max(map(len, reasons)) < 250


def test_what_becomes_of_a_message_does_not_depend_on_the_messages_beside_it() -> None:
    good = [b'{"id": 1, "other": NaN}', b' {"id": 2}\n', b'{"id": 3,\n "name": "x"}', b'{"id":4}']
    values = [*POISON, *good]
    among = DECODER.decode(batch(values))
    rows = {row["_source_position"]: row for row in among.rows.to_pylist()}
    reasons = dict(zip(among.rejected["position"], among.rejected["reason"], strict=True))
    reasons = {position.as_py(): reason.as_py() for position, reason in reasons.items()}
    for position, value in enumerate(values):
        alone = DECODER.decode(batch([value]))
        expected = [row | {"_source_position": position} for row in alone.rows.to_pylist()]
        assert expected == ([rows[position]] if position in rows else [])
        assert alone.rejected["reason"].to_pylist() == (
            [reasons[position]] if position in reasons else []
        )


def test_messages_with_line_breaks_cannot_complete_each_other() -> None:
    values = [b'{"id": 1,', b'"name": "x"}', b'{"id": 2}{"id": 3}', b'{\n"id":\n4}', b'{"id": 5}']
    got = DECODER.decode(batch(values))
    assert got.rows["id"].to_pylist() == [4, 5]
    assert got.rows["_source_position"].to_pylist() == [3, 4]


def test_values_arrive_exactly() -> None:
    value = (
        b'{"id": -9223372036854775808, "ratio": 0.1, "price": 12345678.90'
        b', "name": "a\\u0000\xc3\xa9"'
        b', "ok": true, "day": "2024-02-29", "at": "2024-01-02T03:04:05.123456+05:30",'
        b' "local": "2024-01-02 03:04:05", "ms": 1700000000123, "home": {"no": 7}'
        b', "tags": ["x", null]}'
    )
    row = DECODER.decode(batch([value])).rows.to_pylist()[0]
    assert row["id"] == -(2**63)
    assert row["price"] == Decimal("12345678.90")
    assert row["name"] == "a\0é"
    assert row["day"] == date(2024, 2, 29)
    assert row["at"] == datetime(2024, 1, 1, 21, 34, 5, 123456, UTC)
    assert row["local"] == datetime(2024, 1, 2, 3, 4, 5)
    assert row["ms"] == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)
    assert row["home"] == {"street": None, "no": 7}
    assert row["tags"] == ["x", None]


def test_numbers_of_38_digits_and_large_texts_arrive_whole() -> None:
    digits = "12345678901234567890123456789.123456789"
    form = JsonFormat.model_validate({"columns": {"n": "decimal(38, 9)", "t": "string"}})
    text = "x" * 1_000_000
    got = form.decoder().decode(batch([b'{"n": %s, "t": "%s"}' % (digits.encode(), text.encode())]))
    assert got.rows["n"][0].as_py() == Decimal(digits)
    assert got.rows["t"][0].as_py() == text


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("s", "1700000000", datetime(2023, 11, 14, 22, 13, 20, 0, UTC)),
        ("s", "-1.5", datetime(1969, 12, 31, 23, 59, 58, 500000, UTC)),
        ("us", "1", datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        ("ns", "-1000", datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
        ("ns", "1", None),
        ("ms", "0.0001", None),
        ("s", "1700000000000", None),
        ("us", "9223372036854775807", None),
    ],
)
def test_times_as_numbers_are_exact_or_rejected(
    unit: str, value: str, expected: datetime | None
) -> None:
    form = JsonFormat.model_validate({"columns": {"t": {"type": "timestamptz", "unit": unit}}})
    got = form.decoder().decode(batch([b'{"t": %s}' % value.encode()]))
    assert got.rows["t"].to_pylist() == ([] if expected is None else [expected])
    assert got.rejected.num_rows == (expected is None)


def test_times_of_a_declared_form_are_read_by_it() -> None:
    form = {"type": "timestamp", "format": "%d/%m/%Y %H:%M"}
    decoder = JsonFormat.model_validate({"columns": {"t": form}}).decoder()
    got = decoder.decode(batch([b'{"t": "31/12/2024 23:59"}', b'{"t": "12/31/2024 23:59"}']))
    assert got.rows["t"].to_pylist() == [datetime(2024, 12, 31, 23, 59)]
    assert "of the form %d/%m/%Y" in got.rejected["reason"][0].as_py()


def test_a_path_leads_into_the_message() -> None:
    declared = {"user": {"type": "int64", "path": "payload.user.id"}, "kind": "string"}
    decoder = JsonFormat.model_validate({"columns": declared}).decoder()
    values = [b'{"payload": {"user": {"id": 7}}}', b'{"payload": null}', b'{"payload": 3}']
    got = decoder.decode(batch(values))
    assert got.rows["user"].to_pylist() == [7, None]
    assert "field 'payload': 3 is a number, not an object" in got.rejected["reason"][0].as_py()


def test_a_tombstone_is_rejected_or_a_row_or_counted() -> None:
    values = [b'{"id": 1}', None, b'{"id": 2}']
    found = {}
    for choice in ("reject", "row", "skip"):
        form = {"columns": {"id": {"type": "int64", "required": True}}, "tombstones": choice}
        got = JsonFormat.model_validate(form).decoder().decode(batch(values))
        reasons = got.rejected["reason"].to_pylist()
        found[choice] = (got.rows["id"].to_pylist(), reasons, got.skipped)
    assert found == {
        "reject": ([1, 2], ["a tombstone: the message has no value"], 0),
        "row": ([1, None, 2], [], 0),
        "skip": ([1, 2], [], 1),
    }


def test_new_fields_are_told_with_how_many_messages_hold_them() -> None:
    values = [
        b'{"id": 1}',
        b'{"id": 2, "new": 1}',
        b'{"id": 3, "new": 1, "b": {"x": 1}}',
        b'{"id":',
    ]
    assert DECODER.decode(batch([*values, b'{"id": "x", "b": 1}'])).unknown == {"new": 2, "b": 2}


def test_fields_without_a_column_are_kept_as_they_were_written_on_request() -> None:
    decoder = JsonFormat.model_validate({"columns": {"id": "int64"}, "rest": True}).decoder()
    long = "0.1234567890123456789012345"
    values = [b'{"id": 1}', b'{"id": 2, "a": {"b": [1, null]}}', b'{"c": %s}' % long.encode()]
    got = decoder.decode(batch(values))
    assert got.rows.schema == decoder.schema(pa.int64())
    assert got.rows["_rest"].to_pylist() == [None, '{"a":{"b":[1,null]}}', f'{{"c":{long}}}']


def test_no_messages_are_no_rows() -> None:
    got = DECODER.decode(batch([]))
    assert got.rows.schema == DECODER.schema(pa.int64())
    assert got.rows.num_rows == got.rejected.num_rows == 0


@pytest.mark.parametrize(
    "column",
    [
        {"type": "int63"},
        {"type": "int64", "unit": "ms"},
        {"type": "string", "format": "%d"},
        {"type": "timestamp", "unit": "ms", "format": "%d"},
        {"type": "int64", "items": "int64"},
        {"fields": {"x": {"type": "int64", "path": "y"}}},
        {},
    ],
)
def test_a_declaration_that_means_nothing_is_refused(column: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JsonFormat.model_validate({"columns": {"a": column}})


def test_two_columns_cannot_read_one_value() -> None:
    declared = {"a": {"type": "int64", "path": "x"}, "b": {"type": "int64", "path": "x.y"}}
    with pytest.raises(ConfigError, match=r"'x\.y' or a part"):
        JsonFormat.model_validate({"columns": declared}).decoder()


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=True),
    st.decimals(-(10**9), 10**9, places=3).map(lambda d: float(d)),
    st.text(max_size=5),
    st.sampled_from(["2024-01-02", "2024-01-02T03:04:05Z", "12.50"]),
)
_VALUES = st.one_of(_LEAVES, st.lists(_LEAVES, max_size=2), st.just({"street": "x", "no": 1}))
_MESSAGES = st.one_of(
    st.dictionaries(st.sampled_from([*COLUMNS, "other"]), _VALUES, max_size=5).map(
        lambda fields: json.dumps({"id": 1} | fields).encode()
    ),
    st.binary(max_size=12),
    st.sampled_from([*POISON, b'{"id": 1}']),
)


def _naive(value: bytes) -> dict[str, Any] | None:
    """What a message means, by the standard library; None where it is to be rejected."""

    def constant(text: str) -> None:
        raise ValueError(text)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found if name in (*COLUMNS, "street", "no")]
        if len(names) != len(set(names)):
            raise ValueError("repeated")
        return dict(found)

    try:
        text = value.decode()
        found = json.loads(
            text, parse_constant=constant, parse_float=Decimal, object_pairs_hook=pairs
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or text.count("[") > 200:
        return None
    try:
        row = {name: _typed(name, found.get(name)) for name in COLUMNS}
    except (ValueError, KeyError, ArithmeticError):
        return None
    return row if row["id"] is not None else None


def _number(value: Any, *kinds: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ValueError(value)
    return value


def _typed(name: str, value: Any) -> Any:
    if value is None:
        return None
    match name:
        case "id" | "small":
            bits = 63 if name == "id" else 7
            if not -(2**bits) <= _number(value, int) < 2**bits:
                raise ValueError(value)
            return value
        case "ratio" | "coarse":
            found = float(_number(value, int, Decimal))
            if name == "coarse":
                found = pa.scalar(found, pa.float32()).as_py()
            if math.isinf(found):
                raise ValueError(value)
            return found
        case "price":
            exact = Decimal(_number(value, int, Decimal, str))
            if exact != exact.quantize(Decimal("0.01")) or abs(exact) >= 10**8:
                raise ValueError(value)
            return exact.quantize(Decimal("0.01"))
        case "name":
            _number(value, str).encode()
            return value
        case "ok":
            if not isinstance(value, bool):
                raise ValueError(value)
            return value
        case "day":
            return date.fromisoformat(_number(value, str))
        case "at":
            if not (found_at := datetime.fromisoformat(_number(value, str))).tzinfo:
                raise ValueError(value)
            return found_at
        case "local":
            if (found_at := datetime.fromisoformat(_number(value, str))).tzinfo:
                raise ValueError(value)
            return found_at
        case "ms":
            micros = Decimal(_number(value, int, Decimal, str)) * 1000
            if micros != int(micros) or not -62135596800000000 <= micros <= 253402300799999999:
                raise ValueError(value)
            return int(micros)
        case "home":
            home = _number(value, dict)
            street = home.get("street")
            if street is not None:
                _number(street, str).encode()
            if not -(2**31) <= _number(home["no"], int) < 2**31:
                raise ValueError(value)
            return {"street": street, "no": home["no"]}
        case _:
            if not all(one is None or isinstance(one, str) for one in _number(value, list)):
                raise ValueError(value)
            "".join(one or "" for one in value).encode()
            return value


@settings(max_examples=40, deadline=None)
@given(st.lists(_MESSAGES, max_size=12))
def test_a_batch_means_what_its_messages_mean_one_by_one(values: list[bytes]) -> None:
    got = DECODER.decode(batch(values))
    table = got.rows.set_column(
        got.rows.schema.get_field_index("ms"), "ms", got.rows["ms"].cast(pa.int64())
    )
    found = dict(zip(got.rows["_source_position"].to_pylist(), table.to_pylist(), strict=True))
    for position, value in enumerate(values):
        row = found.get(position)
        expected = _naive(value)
        assert (row and {name: row[name] for name in COLUMNS}) == expected, value
    assert got.rows.num_rows + got.rejected.num_rows == len(values)
