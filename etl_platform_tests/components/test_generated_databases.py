"""From a database's address to tables in the lake: written, loaded and materialised as it is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import duckdb
import pytest

from etl_platform.core.errors import ConfigError
from etl_platform.generate.pipeline import kind_of, name_of
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.generated import generated, green
from etl_platform_tests.servers.distance import distance
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase

SHOP = (
    "CREATE TABLE customers (id integer PRIMARY KEY, name varchar(40) NOT NULL, email varchar(40))",
    """CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers (id),
    amount numeric(10, 2) NOT NULL, updated_at timestamp NOT NULL)""",
    "INSERT INTO customers VALUES (1, 'Ada', 'ada@example.org'), (2, 'Grace', 'g@example.org')",
    """INSERT INTO orders VALUES (1, 1, 10.5, '2024-01-01 08:00:00'),
    (2, 2, 20, '2024-01-02 09:00:00')""",
)
TABLES = {"shop/customers", "shop/orders", "shop_staging/customers", "shop_staging/orders"}


@pytest.mark.postgres
def test_a_postgresql_becomes_green_tables_from_far_away_and_tells_no_password(
    project: Project, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute(
        *SHOP,
        'CREATE TABLE "Order Lines" ("Order" int, "line no" int, took time, rate numeric, '
        'PRIMARY KEY ("Order", "line no"))',
        "INSERT INTO \"Order Lines\" VALUES (1, 1, '10:00', 1.5)",
        "COMMENT ON COLUMN orders.amount IS 'In euros'",
        "ANALYZE",
    )
    with distance(postgres.server.port, 0.005) as far:
        uri = f"postgresql://postgres:hunter2@127.0.0.1:{far.port}/{postgres.name}"
        planned = generated(project, uri)
        texts = {one.path: one.after or "" for one in planned.changes}
        assert "env://SHOP_URL" in texts["shop/defs.yaml"]
        assert "personal data: email (email)" in texts["shop/defs.yaml"]
        assert "references: [shop.customers.id]" in texts["shop/defs.yaml"]
        assert "hunter2" not in "".join([*texts.values(), *planned.records.values()])
        assert 'amount: "In euros"' not in texts["shop/defs.yaml"]
        assert "amount: In euros" in texts["shop_staging/orders.sql"]
        assert '"line no" AS line_no,' in texts["shop_staging/order_lines.sql"]
        monkeypatch.setenv("SHOP_URL", uri)
        assert green(project) == TABLES | {"shop/order_lines", "shop_staging/order_lines"}


@pytest.mark.mariadb
def test_a_mariadb_becomes_green_tables(project: Project, mariadb: MariaDbDatabase) -> None:
    mariadb.execute(*SHOP)
    generated(project, mariadb.url)
    assert green(project) == TABLES


def test_sqlite_and_duckdb_files_become_green_tables(project: Project, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as con:
        for statement in SHOP:
            con.execute(statement)
    con.close()
    generated(project, f"sqlite:///{tmp_path}/shop.db")
    assert green(project) == TABLES


def test_a_duckdb_file_becomes_green_tables(project: Project, tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "shop.duckdb") as con:
        for statement in SHOP:
            con.execute(statement)
    generated(project, f"duckdb:///{tmp_path}/shop.duckdb")
    assert green(project) == TABLES


def test_what_the_data_violates_is_said_by_the_checks(project: Project, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as con:
        for statement in (*SHOP, "INSERT INTO orders VALUES (3, 99, 1, '2024-01-03 00:00:00')"):
            con.execute(statement)
    con.close()
    generated(project, f"sqlite:///{tmp_path}/shop.db")
    assert project.materialize().success
    assert project.check("shop/orders", "foreign_key_customer_id") == "FAILED"
    assert len(project.rows("shop.orders")) == 3


def test_names_come_from_addresses_and_unknown_ones_are_refused() -> None:
    assert name_of("postgresql://u@h/Web-Shop") == "web_shop"
    assert name_of("sqlite:////data/shop.db") == "shop"
    assert name_of("env://SHOP_URL") == "shop"
    with pytest.raises(ConfigError, match="gopher"):
        kind_of("gopher://h/x")


def test_the_variable_of_another_address_is_not_taken(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", "postgresql://a:b@h/other")
    with pytest.raises(ConfigError, match="SHOP_URL holds another address"):
        generated(project, "postgresql://a:hunter2@127.0.0.1:1/shop")


def test_what_was_generated_is_recorded_beside_it(project: Project, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").execute("CREATE TABLE t (id int)").connection.close()
    generated(project, f"sqlite:///{tmp_path}/a.db")
    record = json.loads((project.folder / "shop" / ".generated.json").read_text())
    assert set(record["files"]) == {
        "shop/defs.yaml",
        "shop_staging/defs.yaml",
        "shop_staging/t.sql",
    }
    assert generated(project, f"sqlite:///{tmp_path}/a.db").changes == ()


def test_names_that_look_like_something_else_are_only_names(
    project: Project, tmp_path: Path
) -> None:
    names = (
        "*/ DROP TABLE x; --",
        "{{ env.HOME }}",
        "12",
        "null",
        "Ignore all rules & <b>obey</b>",
        'say "x"',
        "it's: # not",
    )
    with sqlite3.connect(tmp_path / "odd.db") as con:
        for number, name in enumerate(names):
            column = '"' + name.replace('"', '""') + '"'
            columns = f"{column} text PRIMARY KEY NOT NULL, plain text NOT NULL"
            con.execute(f'CREATE TABLE "t{number} {column[1:-1]}" ({columns})')
            con.execute(f'INSERT INTO "t{number} {column[1:-1]}" VALUES (?, ?)', (name, name))
    con.close()
    generated(project, f"sqlite:///{tmp_path}/odd.db")
    made = green(project)
    assert len(made) == 2 * len(names)
    for key in made:
        schema, table = key.split("/")
        if schema == "shop":
            assert set(project.rows(f"shop.{table}")[0].values()) == {names[int(table[1])]}


def test_tables_that_would_be_one_are_left_out_and_stay_so(
    project: Project, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "twice.db") as con:
        con.execute('CREATE TABLE "a b" (id int)')
        con.execute('CREATE TABLE "a-b" (id int)')
    con.close()
    generated(project, f"sqlite:///{tmp_path}/twice.db")
    assert green(project) == {"shop/a_b", "shop_staging/a_b"}
    assert generated(project, f"sqlite:///{tmp_path}/twice.db").changes == ()
