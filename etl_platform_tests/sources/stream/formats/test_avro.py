"""Avro messages, plain and behind a schema registry, with schemas that change."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_platform.core.errors import ConfigError, PermanentError, TransientError, UnsupportedType
from etl_platform.sources.stream.formats import AvroFormat, Decoded
from etl_platform_tests.sources.stream.formats.messages import batch
from etl_platform_tests.sources.stream.formats.registry import Registry, registry

Json = dict[str, Any]


def record(*fields: tuple[str, Any] | tuple[str, Any, Any]) -> Json:
    declared = [dict(zip(("name", "type", "default"), one, strict=False)) for one in fields]
    return {"type": "record", "name": "Event", "namespace": "shop", "fields": declared}


def logical(kind: str, name: str, **more: Any) -> Json:
    return {"type": kind, "logicalType": name, **more}


EVERYTHING = record(
    ("id", "long"),
    ("small", "int"),
    ("ratio", "double"),
    ("coarse", "float"),
    ("ok", "boolean"),
    ("name", ["null", "string"]),
    ("data", "bytes"),
    ("hash", {"type": "fixed", "name": "Hash", "size": 2}),
    ("kind", {"type": "enum", "name": "Kind", "symbols": ["click", "view"]}),
    ("price", logical("bytes", "decimal", precision=10, scale=2)),
    ("day", ["null", logical("int", "date")]),
    ("ms", logical("long", "timestamp-millis")),
    ("us", logical("long", "timestamp-micros")),
    ("local", logical("long", "local-timestamp-micros")),
    ("uid", logical("string", "uuid")),
    ("since_midnight", logical("int", "time-millis")),
    ("tags", {"type": "array", "items": ["null", "string"]}),
    ("counts", {"type": "map", "values": "long"}),
    (
        "home",
        ["null", {"type": "record", "name": "Home", "fields": [{"name": "no", "type": "int"}]}],
    ),
    ("second", ["null", "Home"]),
    ("again", "shop.Kind"),
)
ROW: Json = {
    "id": -(2**63),
    "small": 7,
    "ratio": 0.1,
    "coarse": 0.5,
    "ok": True,
    "name": None,
    "data": b"\x00\xff",
    "hash": b"ab",
    "kind": "view",
    "price": Decimal("-12345678.90"),
    "day": date(2024, 2, 29),
    "ms": datetime(2024, 1, 2, 3, 4, 5, 123000, UTC),
    "us": datetime(2024, 1, 2, 3, 4, 5, 123456, UTC),
    "local": datetime(2024, 1, 2, 3, 4, 5, 6),
    "uid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "since_midnight": 86_399_999,
    "tags": ["a", None],
    "counts": [("x", 1)],
    "home": {"no": 3},
    "second": None,
    "again": "click",
}


def written(schema: Json, row: Json, number: int | None = None) -> bytes:
    """One message; with a number in Confluent's wire format."""
    target = io.BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(schema), row)
    head = b"" if number is None else b"\0" + number.to_bytes(4)
    return head + target.getvalue()


def plain(schema: Json, values: list[bytes | None]) -> Decoded:
    return AvroFormat.model_validate({"schema": schema}).decoder().decode(batch(values))


def payload(got: Decoded) -> list[Json]:
    rows = got.rows.to_pylist()
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]


def test_every_type_arrives_exactly(tmp_path: Path) -> None:
    file = tmp_path / "event.avsc"
    file.write_text(json.dumps(EVERYTHING))
    row = ROW | {"counts": {"x": 1}, "uid": UUID(ROW["uid"])}
    row["since_midnight"] = datetime(2024, 1, 1, 23, 59, 59, 999000).time()
    decoder = AvroFormat.model_validate({"schema_file": str(file)}).decoder()
    got = decoder.decode(batch([written(EVERYTHING, row)]))
    assert not got.rejected.num_rows, got.rejected["reason"]
    assert got.rows.schema == decoder.schema(pa.int64())
    assert payload(got) == [ROW]


def test_broken_records_are_named_and_harm_none_beside_them() -> None:
    schema = record(("id", "long"), ("name", "string"), ("maybe", ["null", "long"]))
    good = written(schema, {"id": 1, "name": "abc", "maybe": None})
    poison = {
        good + b"x": "1 bytes are left after the record",
        good[:-2]: "goes on after the message's 4 bytes",
        b"": "goes on after the message's 0 bytes",
        b"\x02\x06\xff\xfe\xfd\x00": "no record of its schema",
        good[:-1] + b"\x08": "a union or enum has no such branch",
        b"\xff" * 30: "no record of its schema",
        b"\x02" + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + b"abc": "goes on after",
    }
    values = [value for one in poison for value in (good, one)]
    got = plain(schema, values)
    assert got.rows["id"].to_pylist() == [1] * len(poison)
    assert got.rejected["value"].to_pylist() == list(poison)
    reasons = [str(why) for why in got.rejected["reason"].to_pylist()]
    wrong = [pair for pair in zip(poison.values(), reasons, strict=True) if pair[0] not in pair[1]]
    assert not wrong


@settings(max_examples=80, deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=6))
def test_any_bytes_are_a_row_or_rejected_with_a_reason(values: list[bytes]) -> None:
    schema = record(("n", "long"), ("t", "string"), ("l", {"type": "array", "items": "int"}))
    got = plain(schema, list(values))
    assert got.rows.num_rows + got.rejected.num_rows == len(values)
    assert all(got.rejected["reason"].to_pylist())


def test_a_value_without_a_place_is_rejected() -> None:
    narrow = record(("price", logical("bytes", "decimal", precision=4, scale=2)))
    wide = record(("price", logical("bytes", "decimal", precision=20, scale=2)))
    values = [written(wide, {"price": Decimal("123456.78")}), written(wide, {"price": Decimal(1)})]
    got = plain(narrow, list(values))
    assert got.rows["price"].to_pylist() == [Decimal("1.00")]
    assert got.rejected["position"].to_pylist() == [0]


@pytest.mark.parametrize(
    ("physical", "name", "value"), [("int", "date", 2**31 - 1), ("long", "timestamp-micros", 2**62)]
)
def test_a_day_beyond_the_calendar_is_rejected(physical: str, name: str, value: int) -> None:
    message = written(record(("at", physical)), {"at": value})
    got = plain(record(("at", logical(physical, name))), [message])
    assert got.rejected.num_rows == 1


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (["int", "string"], "union"),
        (logical("bytes", "decimal", precision=39, scale=2), "39"),
        ("null", "null"),
        (["null", "Event"], "contains itself"),
    ],
)
def test_a_type_without_a_place_in_the_lake_is_refused(kind: Any, why: str) -> None:
    decoder = AvroFormat.model_validate({"schema": record(("a", "int"), ("b", kind))}).decoder()
    with pytest.raises(UnsupportedType, match=why):
        decoder.schema(pa.int64())


def test_arrays_that_could_be_endless_in_ten_bytes_are_refused() -> None:
    schema = record(("a", {"type": "array", "items": "null"}))
    with pytest.raises(ConfigError, match="array of null"):
        AvroFormat.model_validate({"schema": schema}).decoder().schema(pa.int64())


@pytest.fixture
def server() -> Iterator[Registry]:
    with registry() as running:
        yield running


READER = record(("id", "long"), ("name", "string"), ("added", ["null", "int"], None))


def confluent(server: Registry, **options: Any) -> Any:
    given_ = {"schema": READER, "registry": {"url": server.url}} | options
    return AvroFormat.model_validate(given_).decoder()


def test_records_of_older_and_newer_schemas_are_read_by_avros_rules(server: Registry) -> None:
    older = record(("id", "int"), ("name", "string"), ("dropped", "double"))
    newer = record(("name", "string"), ("added", ["null", "int"]), ("id", "long"))
    server.add(1, older)
    server.add(70000, newer)
    values = [
        written(newer, {"id": 1, "name": "a", "added": 5}, 70000),
        written(older, {"id": 2, "name": "b", "dropped": 0.5}, 1),
        written(newer, {"id": 3, "name": "c", "added": None}, 70000),
    ]
    decoder = confluent(server)
    for _ in range(2):
        got = decoder.decode(batch(values))
        assert payload(got) == [
            {"id": 1, "name": "a", "added": 5},
            {"id": 2, "name": "b", "added": None},
            {"id": 3, "name": "c", "added": None},
        ]
        assert got.rows["_source_position"].to_pylist() == [0, 1, 2]
    assert sorted(server.asked) == ["/schemas/ids/1", "/schemas/ids/70000"]


def test_what_cannot_be_read_as_the_declared_schema_is_rejected(server: Registry) -> None:
    incompatible = record(("id", "string"), ("name", "string"))
    missing = record(("id", "long"))
    server.add(1, READER)
    server.add(2, incompatible)
    server.add(3, missing)
    server.add(4, "syntax = 'proto3'", schemaType="PROTOBUF")
    server.add(5, {"type": "nonsense"})
    good = written(READER, {"id": 1, "name": "a", "added": None}, 1)
    values = {
        written(incompatible, {"id": "x", "name": "a"}, 2): "cannot be read as ours",
        written(missing, {"id": 1}, 3): "cannot be read as ours",
        b"\0" + (4).to_bytes(4) + b"x": "schema id 4 is PROTOBUF, not Avro",
        b"\0" + (5).to_bytes(4) + b"x": "schema id 5 is no Avro schema",
        b"\0" + (99).to_bytes(4) + b"x": "schema id 99 is unknown to the schema registry",
        b'{"id": 1}': "the first byte is 0x7b, not 0x00",
        b"\0\0\0": "3 bytes are too few for a schema's id",
        good[:-1]: "goes on after the message",
    }
    got = confluent(server).decode(batch([good, *values, good]))
    assert got.rows["id"].to_pylist() == [1, 1]
    reasons = zip(values.values(), got.rejected["reason"].to_pylist(), strict=True)
    assert not [pair for pair in reasons if pair[0] not in str(pair[1])]


def test_milliseconds_are_never_read_as_microseconds(server: Registry) -> None:
    millis = record(("at", logical("long", "timestamp-millis")))
    server.add(1, millis)
    micros = record(("at", logical("long", "timestamp-micros")))
    message = written(millis, {"at": datetime(2024, 1, 1, tzinfo=UTC)}, 1)
    got = confluent(server, schema=micros).decode(batch([message]))
    assert "timestamp-millis and read as timestamp-micros" in str(got.rejected["reason"][0])


@pytest.mark.parametrize("shape", ["record", "array", "map", "union", "by name"])
def test_milliseconds_within_records_are_never_read_as_microseconds(
    server: Registry, shape: str
) -> None:
    def nested(unit: str) -> Any:
        inner: Any = {
            "type": "record",
            "name": "Visit",
            "namespace": "shop",
            "fields": [{"name": "at", "type": logical("long", f"timestamp-{unit}")}],
        }
        if shape == "by name":
            return record(("first", inner), ("last", "shop.Visit"))
        shapes = {
            "array": {"type": "array", "items": inner},
            "map": {"type": "map", "values": inner},
            "union": ["null", inner],
        }
        return record(("last", shapes.get(shape, inner)))

    visit: Any = {"at": datetime(2024, 1, 1, tzinfo=UTC)}
    value = {"array": [visit], "map": {"a": visit}}.get(shape, visit)
    server.add(1, nested("millis"))
    whole = {"last": value, "first": value} if shape == "by name" else {"last": value}
    message = written(nested("millis"), whole, 1)
    got = confluent(server, schema=nested("micros")).decode(batch([message]))
    field = "first.at" if shape == "by name" else "last.at"
    assert f"field '{field}' is written as timestamp-millis" in str(got.rejected["reason"][0])
    same = confluent(server, schema=nested("millis")).decode(batch([message]))
    assert same.rows.num_rows == 1


def test_a_schema_may_use_names_of_others_that_it_refers_to(server: Registry) -> None:
    home = {"type": "record", "name": "Home", "namespace": "shop", "fields": []}
    home["fields"] = [{"name": "no", "type": "int"}]
    server.add_version("home", 3, home)
    outer = record(("id", "long"), ("home", "shop.Home"))
    server.add(1, outer, references=[{"name": "shop.Home", "subject": "home", "version": 3}])
    whole = record(("id", "long"), ("home", home))
    message = written(whole, {"id": 1, "home": {"no": 7}}, 1)
    got = confluent(server, schema=whole).decode(batch([message]))
    assert payload(got) == [{"id": 1, "home": {"no": 7}}]


def test_the_schema_to_read_with_may_be_a_version_in_the_registry(server: Registry) -> None:
    server.add_version("events-value", 2, READER)
    server.add(1, READER)
    options = {"schema": None, "subject": "events-value", "version": 2}
    message = written(READER, {"id": 1, "name": "a", "added": None}, 1)
    decoder = confluent(server, **options)
    assert payload(decoder.decode(batch([message]))) == [{"id": 1, "name": "a", "added": None}]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_registry_that_cannot_answer_now_is_asked_again_later(
    server: Registry, status: int
) -> None:
    server.add(1, READER)
    message = written(READER, {"id": 1, "name": "a", "added": None}, 1)
    decoder = confluent(server)
    server.status = status
    with pytest.raises(TransientError, match=str(status)):
        decoder.decode(batch([message]))
    server.status = None
    assert decoder.decode(batch([message])).rows.num_rows == 1


def test_a_registry_that_is_down_judges_no_message(server: Registry) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        decoder = confluent(server, registry={"url": address})
        with pytest.raises(TransientError, match="does not answer"):
            decoder.decode(batch([written(READER, {"id": 1, "name": "a", "added": None}, 1)]))


def test_credentials_are_references_and_a_refusal_is_final(
    server: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(1, READER)
    message = batch([written(READER, {"id": 1, "name": "a", "added": None}, 1)])
    monkeypatch.setenv("REGISTRY_USER", "ada")
    monkeypatch.setenv("REGISTRY_PASSWORD", "s3cret")
    server.credentials = "Basic YWRhOnMzY3JldA=="
    reference = {"user": "env://REGISTRY_USER", "password": "env://REGISTRY_PASSWORD"}
    decoder = confluent(server, registry={"url": server.url, **reference})
    assert decoder.decode(message).rows.num_rows == 1
    server.credentials = "Bearer s3cret"
    token = confluent(server, registry={"url": server.url, "token": "env://REGISTRY_PASSWORD"})
    assert token.decode(message).rows.num_rows == 1
    monkeypatch.setenv("REGISTRY_PASSWORD", "wr0ng")
    refused = confluent(server, registry={"url": server.url, **reference})
    with pytest.raises(PermanentError, match="401") as raised:
        refused.decode(message)
    assert "wr0ng" not in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schema": READER, "schema_file": "x.avsc"},
        {"subject": "events-value", "version": 1},
        {"subject": "events-value", "registry": {"url": "http://r"}},
        {"schema": READER, "registry": {"url": "http://r", "user": "env://U"}},
    ],
)
def test_options_that_do_not_say_one_thing_are_refused(options: Json) -> None:
    with pytest.raises(ValidationError):
        AvroFormat.model_validate(options)
