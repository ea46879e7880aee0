"""The text protocol decoded in blocks gives what the general engine gives, byte for byte."""

from __future__ import annotations

import random
from decimal import Decimal

import pymysql
import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.selection import EngineFault, NoEngine
from etl_platform.sources.database import (
    Cursor,
    Database,
    Extraction,
    TypePolicy,
    capabilities,
    extract,
)
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.sources.database.test_mysql import create_types
from etl_platform_tests.sources.database.test_postgresql import table_of

pytestmark = pytest.mark.mariadb
ENGINE = "mysql"
# What ends a value or a row in the text that Arrow parses, what it might trim, and quotes.
NASTY = ("\x1f", "\n", "\r", "\r\n", "\x00", '"', "'", "\\", ",", "\t", " ", "\ufeff", "😀", "x")


@pytest.fixture
def database(mariadb: MariaDbDatabase):
    found = Database("shop", mariadb.url)
    yield found
    found.close()


def insert(mariadb: MariaDbDatabase, table: str, rows: list[tuple[object, ...]]) -> None:
    server = mariadb.server
    with pymysql.connect(
        host="127.0.0.1", port=server.port, user="root", database=mariadb.name, charset="utf8mb4",
        autocommit=True, max_allowed_packet=64 << 20,
    ) as session, session.cursor() as cursor:  # fmt: skip
        places = ", ".join(["%s"] * len(rows[0]))
        cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def both(database: Database, extraction: Extraction, batch_rows: int = 1_000):
    return [
        extract(database, extraction, batch_rows, engine=engine).read_all()
        for engine in (ENGINE, "sqlalchemy")
    ]


def test_it_is_chosen_and_reads_every_type_as_the_general_engine_does(mariadb, database):
    create_types(mariadb)
    extraction = Extraction(table=table_of(database, "everything"))
    told = {one.name: one for one in capabilities(database, extraction)}
    assert told[ENGINE].lossless
    assert not told[ENGINE].degrades
    assert told[ENGINE].prior_rows_per_s == max(one.prior_rows_per_s for one in told.values())
    fast, general = both(database, extraction)
    assert fast.equals(general)


def test_texts_of_any_bytes_and_length_arrive_as_they_are(mariadb, database):
    chance = random.Random(3)

    def text() -> str | None:
        kind = chance.random()
        if kind < 0.2:
            return None
        if kind < 0.25:
            return "é\n" * chance.choice((125, 126, 127, 40_000))
        return "".join(chance.choices(NASTY, k=chance.choice((0, 1, 2, 5, 60, 130, 249, 250, 251))))

    rows = [
        (n, text(), n * 7 if n % 3 else None, text(), chance.randbytes(chance.randrange(300)))
        for n in range(3_000)
    ]
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a longtext, n bigint, b longtext, c longblob) "
        "CHARACTER SET utf8mb4"
    )
    insert(mariadb, "t", rows)
    extraction = Extraction(table=table_of(database, "t"))
    reader = extract(database, extraction, 700, engine=ENGINE)
    batches = list(reader)
    assert max(batch.num_rows for batch in batches) <= 700
    assert len(batches) > 4
    given = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert sorted(given) == rows


def test_a_table_of_nulls_an_empty_one_and_one_of_many_columns_are_read(mariadb, database):
    wide = ", ".join(f"c{n} {'int' if n % 2 else 'text'}" for n in range(300))
    mariadb.execute(
        "CREATE TABLE empty_one (id int, v text)",
        f"CREATE TABLE wide ({wide})",
        "INSERT INTO wide (c1) VALUES (NULL), (NULL)",
        f"INSERT INTO wide SELECT {', '.join(['7'] * 300)} FROM seq_1_to_3000",
    )
    fast, general = both(database, Extraction(table=table_of(database, "empty_one")))
    assert fast.num_rows == 0
    assert fast.equals(general)
    fast, general = both(database, Extraction(table=table_of(database, "wide")))
    assert fast.num_rows == 3_002
    assert fast.equals(general)


def test_numbers_with_leading_zeros_and_long_decimals_keep_their_values(mariadb, database):
    digits = "12345678" * 4 + "345678"
    mariadb.execute(
        "CREATE TABLE t (z int(8) zerofill, d decimal(38,0), e decimal(38,38), u decimal(20,4))",
        f"INSERT INTO t VALUES (42, {digits}, 0.{digits}, -0.0001), (0, -{digits}, 0, 1)",
    )
    fast, general = both(database, Extraction(table=table_of(database, "t")))
    assert fast.to_pylist()[0]["d"] == Decimal(digits)
    assert fast.equals(general)


def test_conditions_and_parameters_reach_the_server_quoted(mariadb, database):
    mariadb.execute(
        "CREATE TABLE `odd %s :n` (id int PRIMARY KEY, `v'\"` varchar(40), at datetime(6))",
        "INSERT INTO `odd %s :n` VALUES (1, '50 % off', '2024-01-01'), (2, ':n', '2024-01-02')",
    )
    table = table_of(database, "odd %s :n")
    cursor = Cursor("at", key=("id",))
    fast, general = both(
        database, Extraction(table=table, cursor=cursor, after="2024-01-01T12:00:00")
    )
    assert fast.column("id").to_pylist() == [2]
    assert fast.equals(general)
    query = "SELECT id, 5 % 3 AS m FROM `odd %s \\:n` WHERE `v'\"` = :v"
    given = {"v": "50 % off"}
    fast, general = both(database, Extraction(query=query, params=given))
    assert fast.to_pylist() == [{"id": 1, "m": 2}]
    assert fast.equals(general)


def test_what_a_person_declared_is_checked_by_the_general_engine_or_exactly(mariadb, database):
    mariadb.execute("CREATE TABLE t (v varchar(20))", "INSERT INTO t VALUES ('1'), ('1.25')")
    table = table_of(database, "t")
    with pytest.raises(NoEngine, match="only the general engine checks"):
        extract(database, Extraction(table=table, types={"v": "int64"}), engine=ENGINE)
    short = Extraction(table=table, types={"v": "decimal(5, 1)"})
    with pytest.raises(PermanentError, match=r"row 2: the value '1\.25'"):
        extract(database, short, engine=ENGINE).read_all()
    long = Extraction(table=table, types={"v": "decimal(5, 2)"})
    fast, general = both(database, long)
    assert fast.equals(general)


@pytest.mark.parametrize("kind", ["date", "datetime", "timestamp null", "date not null"])
def test_a_date_that_is_none_is_refused_as_the_general_engine_refuses_it(mariadb, database, kind):
    mariadb.execute(
        "SET sql_mode = ''",
        f"CREATE TABLE zero (id int, v {kind})",
        "INSERT INTO zero SELECT seq, '2024-01-01' FROM seq_1_to_999",
        "INSERT INTO zero VALUES (1000, '0000-00-00')",
    )
    table = table_of(database, "zero")
    said: list[str] = []
    for engine in (ENGINE, "sqlalchemy"):
        with pytest.raises(PermanentError) as caught:
            extract(database, Extraction(table=table), 300, engine=engine).read_all()
        said.append(str(caught.value).split(" is not exactly ")[0])
    assert "row 1000" in said[0]
    assert said[0] == said[1]


def test_times_and_long_numbers_are_the_servers_text_when_that_is_declared(mariadb, database):
    mariadb.execute(
        "CREATE TABLE odd (t time(6), big decimal(65,30))",
        f"INSERT INTO odd VALUES ('-838:59:59', {'9' * 35}.{'1' * 30}), (NULL, NULL)",
    )
    policy = TypePolicy(unsupported="string")
    fast, general = both(database, Extraction(table=table_of(database, "odd"), policy=policy))
    assert fast.to_pylist()[0] == {"t": "-838:59:59.000000", "big": "9" * 35 + "." + "1" * 30}
    assert fast.equals(general)


def test_a_row_of_sixteen_megabytes_is_left_to_the_general_engine(mariadb, database):
    mariadb.server.execute("SET GLOBAL max_allowed_packet = 64 * 1024 * 1024")
    mariadb.execute(
        "CREATE TABLE t (id int, v longblob)",
        "INSERT INTO t VALUES (1, 'a'), (2, repeat('b', 3000000)), (3, repeat('c', 17000000))",
    )
    table = table_of(database, "t")
    with pytest.raises(EngineFault, match="16 MB"):
        extract(database, Extraction(table=table), engine=ENGINE).read_all()
    smaller = Extraction(query="SELECT * FROM t WHERE id < 3")
    fast, general = both(database, smaller)
    assert fast.equals(general)
    sizes = extract(database, Extraction(table=table), engine="sqlalchemy").read_all()["v"]
    assert sorted(len(value) for value in sizes.to_pylist()) == [1, 3_000_000, 17_000_000]


def test_an_error_after_the_first_rows_is_the_servers_own(mariadb, database):
    mariadb.execute(
        "CREATE TABLE t AS SELECT seq AS id FROM seq_1_to_20000",
        "CREATE FUNCTION fail(n int) RETURNS int BEGIN IF n = 19000 THEN "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such thing'; END IF; RETURN n; END",
    )
    reader = extract(database, Extraction(query="SELECT fail(id) AS v FROM t"), 100, engine=ENGINE)
    with pytest.raises(PermanentError, match="no such thing"):
        reader.read_all()
    assert extract(database, Extraction(query="SELECT 1 AS a")).read_all().num_rows == 1
