"""By which values the rows of a table reach a model's rows; what is not proven is not claimed."""

from __future__ import annotations

import pytest

from etl_platform.core.names import TableName
from etl_platform.planner.parsing import parse
from etl_platform.planner.qualification import qualify
from etl_platform.transforms.incremental.functions import volatile
from etl_platform.transforms.incremental.locality import reaches
from etl_platform.transforms.incremental.logic import columns_read, logic, qualified

SCHEMA = {
    TableName("s", "o"): {"id": "BIGINT", "ts": "TIMESTAMP", "c": "VARCHAR", "v": "DOUBLE"},
    TableName("s", "d"): {"c": "VARCHAR", "name": "VARCHAR", "no": "INTEGER"},
}
NOTHING = ""

# Of each reference in the order in which they are found: output columns with what they carry, and
# '+' where each row gives rows of its own.
PROVEN = {
    "SELECT id, lower(c) AS k, v + random() AS r FROM s.o": "id=id k=LOWER((c)) +",
    "SELECT id FROM s.o WHERE v > 1 ORDER BY id": "id=id +",
    "SELECT c, sum(v) AS t FROM s.o GROUP BY c HAVING sum(v) > 1": "c=c",
    "SELECT date_trunc('day', ts) AS ts, count(*) AS n FROM s.o GROUP BY 1": (
        "ts=DATE_TRUNC('DAY', (ts))"
    ),
    "SELECT upper(c) AS u, v, count(*) AS n FROM s.o GROUP BY ALL": "u=UPPER((c)) v=v",
    "SELECT c, id, sum(v) OVER (PARTITION BY c, id) AS a, max(v) OVER w AS b FROM s.o "
    "WINDOW w AS (PARTITION BY id ORDER BY ts)": "id=id",
    "SELECT c, count(*) AS n, max(count(*)) OVER (PARTITION BY c) AS m FROM s.o "
    "GROUP BY c, id": "c=c",
    "SELECT DISTINCT c, id FROM s.o": "c=c id=id",
    "SELECT DISTINCT ON (c) c, id FROM s.o ORDER BY ts": "c=c",
    "SELECT o.id, d.name, d.c FROM s.o AS o JOIN s.d AS d ON o.c = d.c": (
        "c=c id=id + | c=c name=name +"
    ),
    "SELECT o.id, d.name, o.c, d.c AS k FROM s.o AS o LEFT JOIN s.d AS d ON o.c = d.c": (
        "c=c id=id + | c=c"
    ),
    "SELECT o.id, d.name, c FROM s.o AS o LEFT JOIN s.d AS d USING (c)": "c=c id=id + | c=c",
    "SELECT o.id, d.name, c FROM s.o AS o RIGHT JOIN s.d AS d USING (c)": "c=c | c=c name=name +",
    "SELECT o.id, d.name, c FROM s.o AS o FULL JOIN s.d AS d USING (c)": "c=c | c=c",
    "SELECT o.id, o.c AS k, d.c, d.name FROM s.o AS o ASOF JOIN s.d AS d "
    "ON o.c = d.c AND o.id >= d.no": "id=id k=c + | c=c k=c",
    "SELECT o.id, o.c AS k, d.c FROM s.o AS o ASOF LEFT JOIN s.d AS d "
    "ON o.c = d.c AND o.id >= d.no": "id=id k=c + | k=c",
    "SELECT id, c FROM s.o SEMI JOIN s.d USING (c)": "c=c id=id + | c=c",
    "SELECT id, o.c FROM s.o AS o ANTI JOIN s.d AS d ON o.c = d.c": "c=c id=id + | c=c",
    "SELECT d.c, o.id FROM s.d AS d, s.o AS o WHERE d.c = o.c": "c=c + | c=c id=id +",
    "SELECT id AS k FROM s.o UNION ALL SELECT no FROM s.d": "k=id | k=no",
    "SELECT c FROM s.o EXCEPT SELECT name FROM s.d": "c=c | c=name",
    "SELECT c AS a FROM s.o UNION ALL BY NAME SELECT name, c AS a FROM s.d": "a=c | a=c name=name",
    "WITH n(k, m) AS (SELECT c, count(*) FROM s.o GROUP BY c) SELECT k FROM n": "k=c",
    "SELECT unnest([1, id]) AS u, id FROM s.o": "id=id +",
}
NOT_PROVEN = {
    "SELECT o.id FROM s.o AS o JOIN s.d AS d ON o.c = d.no::VARCHAR": "id=id + |  +",
    "SELECT d.no, o.v FROM s.o AS o LEFT JOIN s.d AS d ON o.v = d.no": "v=v + | ",
    "SELECT count(*) AS n FROM s.o": NOTHING,
    "SELECT c, histogram(v) AS h FROM s.o": NOTHING,
    "SELECT c, any_value(v) AS a FROM s.o GROUP BY c": NOTHING,
    "SELECT c, string_agg(c, ',') AS a FROM s.o GROUP BY c": NOTHING,
    "SELECT c, count(*) AS n FROM s.o GROUP BY ROLLUP (c)": NOTHING,
    "SELECT c, sum(v) OVER () AS t FROM s.o": NOTHING,
    "SELECT c, sum(v) OVER (ORDER BY ts) AS t FROM s.o": NOTHING,
    "SELECT c, row_number() OVER (PARTITION BY c) AS n FROM s.o": NOTHING,
    "SELECT lower(c) AS c, c AS k, count(*) OVER (PARTITION BY c) AS n FROM s.o": NOTHING,
    "SELECT DISTINCT ON (c) c, id FROM s.o": NOTHING,
    "SELECT c FROM s.o ORDER BY ts LIMIT 3": NOTHING,
    "SELECT c FROM s.o TABLESAMPLE 10%": NOTHING,
    "SELECT id, (SELECT max(v) FROM s.o) AS m FROM s.o": "id=id + | ",
    "SELECT id FROM s.o WHERE c IN (SELECT c FROM s.d)": "id=id + | ",
    "SELECT id FROM s.o AS o, LATERAL (SELECT no FROM s.d AS d WHERE d.c = o.c) AS l": "id=id + | ",
    "SELECT id FROM s.o POSITIONAL JOIN s.d": " | ",
    "WITH RECURSIVE r AS (SELECT id FROM s.o UNION ALL SELECT id + 1 FROM r WHERE id < 9) "
    "SELECT id FROM r": NOTHING,
}


def found(sql: str) -> str:
    told: list[str] = []
    for reach in reaches(qualify(parse(sql), SCHEMA), SCHEMA):
        columns = [
            f"{name}={value.sql(dialect='duckdb').replace(chr(34), '')}"
            for name, value in sorted(reach.columns.items())
        ]
        told.append(" ".join(columns) + (" +" if reach.row_wise else ""))
    return " | ".join(told)


@pytest.mark.parametrize(("sql", "expected"), {**PROVEN, **NOT_PROVEN}.items())
def test_values_that_reach_a_models_rows(sql: str, expected: str) -> None:
    assert found(sql) == expected


def test_functions_that_change_by_themselves_are_found_in_the_text() -> None:
    assert volatile("SELECT now() - ts FROM s.o") == "now"
    assert volatile("SELECT CURRENT_DATE") == "current_date"
    assert volatile("SELECT gen_random_uuid() AS id") == "gen_random_uuid"
    assert volatile("SELECT 'now()' AS a, \"current_date\", abs(v) FROM s.o -- random()") is None


SAME = (
    "WITH x AS (SELECT * FROM s.o AS f WHERE v > 1) SELECT x.id, d.name FROM x JOIN s.d USING (c)",
    """/* all */ WITH y AS (SELECT id, ts, c, v FROM s.o -- comment
    WHERE (v > 1)) select q.id, e.name from y q join s.d as e on q.c = e.c""",
)


def test_form_comments_and_aliases_are_no_other_logic() -> None:
    digests: set[str] = set()
    for sql in SAME:
        tree = qualified(sql, SCHEMA)
        assert tree is not None
        digests.add(logic(tree, SCHEMA))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT id FROM s.o WHERE v > 1", "SELECT id FROM s.o WHERE v > 2"),
        ("SELECT id FROM s.o", "SELECT id AS n FROM s.o"),
        ("SELECT a.id, b.id AS i FROM s.o a, s.o b", "SELECT b.id, a.id AS i FROM s.o a, s.o b"),
        ("SELECT c FROM s.o UNION FROM s.d", "SELECT c FROM s.o UNION ALL FROM s.d"),
    ],
)
def test_other_logic_is_told(one: str, other: str) -> None:
    trees = [qualified(sql, SCHEMA) for sql in (one, other)]
    assert len({logic(tree, SCHEMA) for tree in trees if tree is not None}) == 2


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT id FROM s.o WHERE v > 1", ("id", "v")),
        ("SELECT count(*) AS n FROM s.o", ("id", "ts", "c", "v")),
        ("SELECT id, o FROM s.o AS o", ("id", "ts", "c", "v")),
        ("SELECT id, to_json(o) AS j FROM s.o AS o", ("id", "ts", "c", "v")),
        ("SELECT id, c.part AS p FROM s.o", ("id", "c")),
        ("SELECT id, o.c.part AS p FROM s.o AS o", ("id", "c")),
    ],
)
def test_columns_that_are_read_are_never_too_few(sql: str, read: tuple[str, ...]) -> None:
    orders = TableName("s", "o")
    schema = {orders: {**SCHEMA[orders], "c": "STRUCT(part VARCHAR)"}}
    tree = qualified(sql, schema)
    assert tree is not None
    assert columns_read(tree, schema) == {"s.o": read}


def test_a_column_that_a_star_includes_or_a_wider_one_is_other_logic() -> None:
    def of(sql: str, **more: str) -> str:
        orders = TableName("s", "o")
        schema = {**SCHEMA, orders: {**SCHEMA[orders], **more}}
        tree = qualified(sql, schema)
        assert tree is not None
        return logic(tree, schema)

    star, named = "SELECT * FROM s.o", "SELECT id FROM s.o"
    assert of(star) != of(star, extra="INTEGER")
    assert of(named) == of(named, extra="INTEGER")
    assert of(named) != of(named, id="DECIMAL(20,0)")
