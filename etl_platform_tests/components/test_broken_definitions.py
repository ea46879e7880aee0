# ruff: noqa: E501 - one case, one line
"""Forty broken definitions: each error names file, line, the wrong name and the nearest valid one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from etl_platform.components.transform.reading import Reading
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.transforms.declared import compile_tables
from etl_platform.transforms.sql_models import load_models

KNOWN = {
    TableName("shop", "orders"): {
        "id": "BIGINT",
        "customer_id": "BIGINT",
        "amount": "DECIMAL(10,2)",
        "status": "VARCHAR",
        "placed_at": "TIMESTAMP",
        "items": "STRUCT(sku VARCHAR, price DOUBLE)[]",
        "address": "STRUCT(street VARCHAR, city VARCHAR)",
        "tags": "VARCHAR",
    },
    TableName("shop", "customers"): {"id": "BIGINT", "name": "VARCHAR", "since": "TIMESTAMP"},
    TableName("shop", "returns"): {"id": "BIGINT", "amount": "DECIMAL(10,2)"},
}
YAML = """\
type: etl_platform.TransformComponent
attributes:
  target_schema: marts
  variables:
    least: 15
    since: {type: DATE, value: "2024-01-01"}
  macros:
    net(price, tax): price / (1 + tax)
  tables:
    first:
      from: shop.orders
      steps:
        - filter: amount > $least
    result:
      from: shop.orders
      partition_by: [status]
      key: [id]
      materialization: incremental
      columns: {amount: What was paid.}
      steps:
        - filter: status IS NOT NULL
"""
LINE_OF_STEP = YAML.count("\n") + 1

STEPS = [
    # step below the others in the file, line within it, kind of name, wrong, nearest
    ("- filtr: amount > 1", 1, "step", "filtr", "filter"),
    ("- filter: amont > 1", 1, "column", "amont", "amount"),
    ("- filter: |\n            status = 'x'\n            AND amont > 1", 3, "column", "amont", "amount"),
    ("- filter: uper(status) = 'A'", 1, "function", "uper", "upper"),
    ("- filter: amount > $leest", 1, "variable", "leest", "least"),
    ("- filter: net(amount, 1) > 0 AND neet(amount, 1) > 0", 1, "function", "neet", "net"),
    ("- filter: address.citty = 'x'", 1, "field of 'address'", "citty", "city"),
    ("- derive:\n            a: amount * 2\n            b: amonut * 3", 3, "column", "amonut", "amount"),
    ("- derive: {a: CAST(amount AS INTEGR)}", 1, "type", "INTEGR", "INTEGER"),
    ("- select: [id, statuss]", 1, "column", "statuss", "status"),
    ("- select:\n            - id\n            - statuss", 3, "column", "statuss", "status"),
    ("- drop: [item]", 1, "column", "item", "items"),
    ("- rename: {statu: state}", 1, "column", "statu", "status"),
    ("- cast: {amuont: DOUBLE}", 1, "column", "amuont", "amount"),
    ("- cast: {amount: DOUBEL}", 1, "type", "DOUBEL", "DOUBLE"),
    ("- cast: {columns: {amount: DOUBLE}, on_eror: fail}", 1, "option of cast", "on_eror", "on_error"),
    ("- deduplicate: {by: [idd], order: [placed_at]}", 1, "column", "idd", "id"),
    ("- deduplicate: {by: [id], order: [placedat desc]}", 1, "column", "placedat", "placed_at"),
    ("- deduplicate: {by: [id], ordr: [placed_at]}", 1, "option of deduplicate", "ordr", "order"),
    ("- fill: {values: {statos: x}}", 1, "column", "statos", "status"),
    ("- split: {column: tag, by: ',', into: [a]}", 1, "column", "tag", "tags"),
    ("- explode: {column: itemz}", 1, "column", "itemz", "items"),
    ("- unnest: {column: adress}", 1, "column", "adress", "address"),
    ("- pivot: {by: [id], column: statuss, values: [a], aggregate: sum(amount)}", 1, "column", "statuss", "status"),
    ("- unpivot: {columns: [amoun]}", 1, "column", "amoun", "amount"),
    ("- join: {table: shop.customer, on: {customer_id: id}}", 1, "table", "shop.customer", "shop.customers"),
    ("- join: {table: shop.customers, on: {custmer_id: id}}", 1, "column", "custmer_id", "customer_id"),
    ("- join:\n            table: shop.customers\n            on: {customer_id: idd}", 3, "column", "idd", "id"),
    ("- join:\n            table: shop.customers\n            on: {customer_id: id}\n            columns: [nam]", 4, "column", "nam", "name"),
    ("- join: {table: shop.customers, on: {customer_id: id}, expct: one_to_one}", 1, "option of join", "expct", "expect"),
    ("- lookup: {table: shop.customers, on: {customer_id: id}, columns: [nmae]}", 1, "column", "nmae", "name"),
    ("- asof_join: {table: shop.customers, at: placed, with: since, columns: [name]}", 1, "column", "placed", "placed_at"),
    ("- asof_join: {table: shop.customers, at: placed_at, with: sinc, columns: [name]}", 1, "column", "sinc", "since"),
    ("- aggregate: {by: [statuz], values: {n: count(*)}}", 1, "column", "statuz", "status"),
    ("- aggregate:\n            by: [status]\n            values:\n              n: count(*)\n              total: sum(amuont)", 5, "column", "amuont", "amount"),
    ("- window: {by: [status], order: [placed_att], values: {n: row_number()}}", 1, "column", "placed_att", "placed_at"),
    ("- sessionise: {by: [customer], at: placed_at, gap: 30m}", 1, "column", "customer", "customer_id"),
    ("- union: shop.return", 1, "table", "shop.return", "shop.returns"),
    ("- mask: {statis: hash}", 1, "column", "statis", "status"),
    ("- sample: {share: 0.1, by: [iid]}", 1, "column", "iid", "id"),
    ("- rules:\n            column: size\n            default: small\n            rules:\n              - {when: amout > 30, then: large}", 5, "column", "amout", "amount"),
    ("- rules: {column: size, from: size.csv, default: small}", 1, "file", "size.csv", "sizes.csv"),
    ("- derive: {a: amount}\n        - derive: {b: a + idd}", 2, "column", "idd", "id"),
]  # fmt: skip
WHOLE = [
    ("from: shop.orders\n      partition", "from: shop.order\n      partition", 15, "table", "shop.order", "shop.orders"),
    ("partition_by: [status]", "partition_bye: [status]", 16, "option of table 'result'", "partition_bye", "partition_by"),
    ("partition_by: [status]", "partition_by: [state]", 16, "column", "state", "status"),
    ("key: [id]", "key: [idd]", 17, "column", "idd", "id"),
    ("columns: {amount", "columns: {amoun", 19, "column", "amoun", "amount"),
    ("type: DATE", "type: DAT", 6, "type", "DAT", "DATE"),
    ("value: \"2024", "valu: \"2024", 6, "part of a variable", "valu", "value"),
    ("      steps:\n        - filter: status", "      stps:\n        - filter: status", 20, "option of table 'result'", "stps", "steps"),
]  # fmt: skip
SQL = [
    # text, line and column of the name, kind, wrong, nearest
    ("SELECT amont FROM shop.orders", "1:8", "column", "amont", "amount"),
    ("SELECT o.id,\n  o.amont\nFROM shop.orders AS o", "2:5", "column", "amont", "amount"),
    ("SELECT id\nFROM shop.order", "2:6", "table", "shop.order", "shop.orders"),
    ("SELECT id FROM shop.orders\nWHERE statos = 'x'", "2:7", "column", "statos", "status"),
    ("SELECT oo.id FROM shop.orders AS o", "1:8", "table or alias", "oo", "o"),
    ("SELECT count(*) AS n FROM shop.orders\nGROUP BY statuss", "2:10", "column", "statuss", "status"),
    ("WITH a AS (SELECT id AS k FROM shop.orders)\nSELECT kk FROM a", "2:8", "column", "kk", "k"),
    ("/*\nparttion_by: [status]\n*/\nSELECT 1 AS n", "2", "header option", "parttion_by", "partition_by"),
    ("/*\nkey: nn\nmaterialization: upsert\n*/\nSELECT 1 AS n", "2", "column in option 'key'", "nn", "n"),
    ("/*\ncolumns:\n  m: x\n*/\nSELECT 1 AS n", "2", "column in option 'columns'", "m", None),
]  # fmt: skip


def compiled(folder: Path, text: str) -> None:
    (folder / "defs.yaml").write_text(text)
    (folder / "sizes.csv").write_text("when,then\namount > 1,x\n")
    said = yaml.safe_load(text)["attributes"]
    reading = Reading(folder, "marts", said["tables"], said["variables"], said["macros"])
    compile_tables(reading.declared, KNOWN)


def check(error: UnknownName, where: str, kind: str, name: str, nearest: str | None) -> None:
    assert (error.kind, error.name, error.nearest) == (kind, name, nearest)
    assert error.what.startswith(f"{where}: ")
    assert repr(name) in error.what
    if nearest is not None:
        assert f"did you mean {nearest!r}?" in str(error)


def test_the_definitions_are_right_before_they_are_broken(tmp_path: Path) -> None:
    compiled(tmp_path, YAML)


@pytest.mark.parametrize(("step", "line", "kind", "name", "nearest"), STEPS)
def test_a_broken_step_is_told_with_file_line_and_nearest_name(
    tmp_path: Path, step: str, line: int, kind: str, name: str, nearest: str | None
) -> None:
    with pytest.raises(UnknownName) as caught:
        compiled(tmp_path, f"{YAML}        {step}\n")
    check(caught.value, f"{tmp_path}/defs.yaml:{LINE_OF_STEP + line - 1}", kind, name, nearest)


@pytest.mark.parametrize(("right", "wrong", "line", "kind", "name", "nearest"), WHOLE)
def test_a_broken_table_is_told_with_file_line_and_nearest_name(
    tmp_path: Path, right: str, wrong: str, line: int, kind: str, name: str, nearest: str | None
) -> None:
    assert YAML.count(right) == 1
    with pytest.raises(UnknownName) as caught:
        compiled(tmp_path, YAML.replace(right, wrong))
    check(caught.value, f"{tmp_path}/defs.yaml:{line}", kind, name, nearest)


@pytest.mark.parametrize(("text", "place", "kind", "name", "nearest"), SQL)
def test_a_broken_model_is_told_with_file_line_and_nearest_name(
    tmp_path: Path, text: str, place: str, kind: str, name: str, nearest: str | None
) -> None:
    (tmp_path / "m.sql").write_text(text)
    with pytest.raises(UnknownName) as caught:
        load_models(tmp_path, KNOWN)
    check(caught.value, f"{tmp_path}/m.sql:{place}", kind, name, nearest)
