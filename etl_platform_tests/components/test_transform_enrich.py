# ruff: noqa: E501 - one case, one line
"""Steps that ask a database outside of the lake: PostgreSQL and SQLite, through their engines."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from dagster.components.core.component_tree import ComponentTreeException

from etl_platform import Platform
from etl_platform.core.errors import EtlError, PermanentError
from etl_platform.core.names import TableName
from etl_platform.transforms.enrichment.asked import Asked, OfDatabase, due
from etl_platform.transforms.enrichment.frames import enriched
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.components.test_incremental_models import told
from etl_platform_tests.servers.postgres import PostgresDatabase

YAML = """\
type: etl_platform.TransformComponent
attributes:
  target_schema: marts
  tables:
    named:
      from: shop.orders
      steps:
        - select: [id, customer_id, amount]
        - enrich:
            {options}
        - derive: {{shouted: upper(segment)}}
"""
OPTIONS = {
    "database": "env://CRM_URL",
    "table": "crm.people",
    "on": "{customer_id: person}",
    "columns": "{segment: VARCHAR, score: 'DECIMAL(6, 2)'}",
}
TABLE = TableName("marts", "named")


def yaml(**options: str) -> str:
    lines = [f"{name}: {value}" for name, value in {**OPTIONS, **options}.items()]
    return YAML.format(options="\n            ".join(lines))


ASKED = Asked(
    who=OfDatabase(database="env://CRM_URL", table="crm.people"),
    on={"k": "person"},
    keys={"person": "BIGINT"},
    columns={"segment": "VARCHAR"},
    expect="many_to_one",
    missing="null",
    refresh_s=None,
)


def of(table: str) -> OfDatabase:
    return OfDatabase(database="env://CRM_URL", table=table)


def people(postgres: PostgresDatabase) -> None:
    postgres.execute(
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.people (person INTEGER, segment TEXT, score NUMERIC, since TIME)",
        "INSERT INTO crm.people SELECT i, 'unasked', 0, NULL FROM generate_series(100, 5000) i",
        "INSERT INTO crm.people VALUES (1, 'gold', 1.25, NULL), (2, 'new', NULL, NULL)",
    )


@pytest.fixture
def crm(
    project: Project, shop: Shop, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> PostgresDatabase:
    people(postgres)
    monkeypatch.setenv("CRM_URL", postgres.url)
    shop.execute(
        "INSERT INTO orders VALUES (4, 7, 80, '2024-01-03 10:00:00'), (5, NULL, 1, '2024-01-03 10:00:00')"
    )
    project.write("shop/defs.yaml", source())
    project.refresh()
    assert project.materialize("shop/orders").success
    return postgres


def segments(project: Project) -> dict[object, object]:
    return {row["id"]: row["shouted"] for row in project.rows(TABLE.sql)}


def test_rows_get_what_the_database_says_now(project: Project, crm: PostgresDatabase) -> None:
    project.write("marts/defs.yaml", yaml())
    result = project.materialize("marts/named")
    first = told(result, "marts__named")
    assert segments(project) == {1: "GOLD", 2: "NEW", 3: "GOLD", 4: None, 5: None}
    types = [str(field.type) for field in project.lake.schema(TABLE)]
    assert types[-3:] == ["string", "decimal128(6, 2)", "string"]
    assert first["asked"] == "crm_url:crm.people"
    # No table of the lake changed, and the database has something else to say.
    crm.execute("UPDATE crm.people SET segment = 'silver' WHERE person = 1")
    again = told(project.materialize("marts/named"), "marts__named")
    assert (
        again["computed_because"]
        == "crm_url:crm.people is outside of the lake: it is asked in each run"
    )
    assert segments(project)[1] == "SILVER"
    graph = Platform(project.lake.settings).lineage(TABLE.sql, down=False)
    assert "crm_url:crm.people" in {edge.from_table for edge in graph.edges}
    assert project.lake.annotation(TABLE, "etl:origin") is not None
    assert crm.name not in str(project.lake.snapshot(TABLE).annotations())


def test_an_answer_is_good_for_as_long_as_declared(project: Project, crm: PostgresDatabase) -> None:
    project.write("marts/defs.yaml", yaml(refresh="1h"))
    assert project.materialize("marts/named").success
    crm.execute("DROP TABLE crm.people")
    nothing = told(project.materialize("marts/named"), "marts__named")
    assert nothing["nothing_changed"] is True
    current = project.lake.find(TABLE)
    asked = ASKED.model_copy(update={"refresh_s": 3600})
    now = datetime.now(UTC)
    assert due(asked, current, now + timedelta(minutes=50)) is None
    assert due(asked, current, now + timedelta(minutes=70)) == (
        "crm_url:crm.people is outside of the lake: what it said is older than 3600 s"
    )


def test_only_the_keys_that_are_there_are_asked_for(
    project: Project, crm: PostgresDatabase
) -> None:
    crm.execute(
        "CREATE VIEW crm.counted AS SELECT person, segment, score, "
        "CASE WHEN person >= 100 THEN 1 / (person - person) END AS never FROM crm.people"
    )
    columns = "{segment: VARCHAR, never: INTEGER}"
    project.write("marts/defs.yaml", yaml(table="crm.counted", columns=columns))
    result = project.materialize("marts/named")
    assert result.success, failures(result)


def test_several_batches_of_keys_give_every_row(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(postgres)
    monkeypatch.setenv("CRM_URL", postgres.url)
    asked = ASKED.model_copy(update={"missing": "drop"})
    keys = pl.LazyFrame({"k": list(range(3500)) * 2})
    made = enriched(keys, asked=asked.model_dump_json()).collect()
    assert made.height == 2 * (2 + 3400)
    both = asked.model_copy(
        update={
            "on": {"k": "person", "s": "segment"},
            "keys": {"person": "BIGINT", "segment": "VARCHAR"},
            "columns": {"score": "DECIMAL(4,2)"},
        }
    )
    first = pl.when(pl.col("k") == 1)
    pairs = keys.with_columns(s=first.then(pl.lit("gold")).otherwise(pl.lit("no")))
    found = enriched(pairs, asked=both.model_dump_json()).collect()
    assert found.rows() == [(1, "gold", Decimal("1.25"))] * 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"missing": "fail"}, r"2 keys are not in crm_url:crm\.people, such as None, 7"),
        (
            {"who": of("crm.twice")},
            r"1 keys have more than one row in crm_url:crm\.twice, such as 1",
        ),
        (
            {"columns": {"segment": "BIGINT"}},
            r"segment of crm_url:crm\.people is VARCHAR, declared is BIGINT",
        ),
        ({"columns": {"nope": "BIGINT"}}, "nope"),
        (
            {
                "on": {"k": "segment"},
                "keys": {"segment": "BIGINT"},
                "columns": {"person": "INTEGER"},
            },
            "integer",
        ),
        ({"who": of("crm.nowhere")}, "nowhere"),
    ],
)
def test_what_the_database_may_not_say_is_an_error(
    postgres: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    why: str,
) -> None:
    people(postgres)
    postgres.execute(
        "CREATE VIEW crm.twice AS SELECT * FROM crm.people UNION ALL SELECT 1, 'x', 2, NULL"
    )
    monkeypatch.setenv("CRM_URL", postgres.url)
    asked = ASKED.model_copy(update=options)
    keys = pl.LazyFrame({"k": [1, 2, 1, 7, None]})
    with pytest.raises(PermanentError, match=why):
        enriched(keys, asked=asked.model_dump_json())


def test_rows_may_be_dropped_or_multiplied_where_that_is_said(
    project: Project, crm: PostgresDatabase
) -> None:
    crm.execute(
        "CREATE VIEW crm.twice AS SELECT * FROM crm.people UNION ALL SELECT 1, 'x', 2, NULL"
    )
    project.write("marts/defs.yaml", yaml(missing="drop", expect="many_to_many", table="crm.twice"))
    result = project.materialize("marts/named")
    assert result.success, failures(result)
    assert sorted((row["id"], row["segment"]) for row in project.rows(TABLE.sql)) == [
        (1, "gold"), (1, "x"), (2, "new"), (3, "gold"), (3, "x")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"on": "{custmer_id: person}"},
            r"defs\.yaml:\d+.*unknown column 'custmer_id'.*customer_id",
        ),
        ({"columns": "{amount: DOUBLE}"}, "there is a column 'amount' already"),
        ({"columns": "{person: INTEGER}"}, "'person' is what the rows are found by"),
        ({"columns": "{segment: VARCHARR}"}, r"VARCHARR"),
        ({"refresh": "soon"}, "'soon' is no duration"),
        ({"database": "postgresql://me:secret@db/crm"}, "password"),
        ({"missing": "maybe"}, "missing"),
        ({"tabel": "x"}, "unknown option of enrich 'tabel'.*table"),
    ],
)
def test_a_wrong_step_is_an_error_when_definitions_load(
    project: Project, shop: Shop, options: dict[str, str], why: str
) -> None:
    project.write("shop/defs.yaml", source())
    project.refresh()
    project.write("marts/defs.yaml", yaml(**options))
    with pytest.raises(ComponentTreeException) as error, project.defs():
        pass
    assert isinstance(error.value.__cause__, EtlError)
    assert re.search(why, str(error.value.__cause__), re.DOTALL), error.value.__cause__
    assert "secret@" not in str(error.value.__cause__)
