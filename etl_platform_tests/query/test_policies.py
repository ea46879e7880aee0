"""Policies: what each role sees, and what is refused when they are not clear."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.errors import ConfigError, QueryRefused, UnknownName
from etl_platform.core.settings import Settings, get_settings
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.lake import Lake
from etl_platform.metastore import Metastore
from etl_platform.planner.policy import Limits
from etl_platform.query import QueryTool
from etl_platform.query.policies import load_policies
from etl_platform.query.roles import role_of
from etl_platform_tests.query.shop import CUSTOMERS, KEY, ROWS, build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def lake(folder: Path, lake_place: Callable[[Path], dict[str, str]]) -> Lake:
    return build(folder, lake_place(folder))


@pytest.fixture(scope="module")
def tool(lake: Lake, folder: Path) -> QueryTool:
    return QueryTool(lake, Metastore.open(f"sqlite:///{folder}/meta.db"))


def test_rows_are_filtered_columns_hidden_and_values_masked(tool: QueryTool) -> None:
    frame = tool.run("from shop.customers order by id", role="analyst")
    hashes = [sha256(f"{KEY}{email}".encode()).hexdigest() for email in ROWS["email"][:3]]
    assert frame.to_dict(as_series=False) == {
        "id": [1, 2, 3],
        "name": ["A***", "B***", "C***"],
        "email": hashes,
        "phone": [None] * 3,
        "country": ["DE"] * 3,
        "score": ["11", "12", "13"],
        "born": [None] * 3,
    }
    assert frame.schema["born"] == pl.Int64


def test_a_row_on_which_the_filter_fails_is_hidden(tool: QueryTool) -> None:
    frame = tool.run("from shop.customers order by id", role="clerk")
    # Row 4 has a score that is no number; the emails of rows 2 and 3 have odd lengths, as has 1.
    assert frame.rows() == [(1, "DE", "11"), (2, "DE", "12"), (3, "DE", "13")]


def test_a_role_without_restrictions_sees_the_tables_themselves(tool: QueryTool) -> None:
    assert tool.run("select count(*) as n from shop.customers", role="admin").item() == 6
    assert tool.run("select card from shop.customers where id = 4", role="admin").item() == (
        "card-5000-4"
    )


@pytest.mark.parametrize(
    "table", ["hr.salaries", "shop.nothing", "shop.customers__quarantine", "platform.audit"]
)
def test_what_a_role_may_not_read_cannot_be_told_from_what_is_not_there(
    tool: QueryTool, table: str
) -> None:
    with pytest.raises(QueryRefused, match=rf"role 'analyst' may not read {table}\n"):
        tool.run(f"from {table}", role="analyst")


def test_patterns_do_not_mean_quarantine_tables(tool: QueryTool) -> None:
    with pytest.raises(QueryRefused, match=r"may not read shop\.customers__quarantine"):
        tool.run("from shop.customers__quarantine", role="admin")


def test_messages_name_only_what_the_role_may_see(tool: QueryTool) -> None:
    with pytest.raises(UnknownName) as unknown:
        tool.run("select crd from shop.customers", role="analyst")
    assert "card" not in str(unknown.value)
    assert "country" in str(unknown.value)
    with pytest.raises(UnknownName) as hidden:
        tool.run("select card from shop.customers", role="analyst")
    assert hidden.value.known == ("born", "country", "email", "id", "name", "phone", "score")


def test_tables_that_a_role_may_not_read_are_not_offered_as_the_nearest(tool: QueryTool) -> None:
    with pytest.raises(UnknownName) as unknown:
        tool.run("from shop.salaries", role="keeper")
    assert unknown.value.known == ("shop.customers", "shop.orders")


def test_there_is_no_answer_without_a_role_or_for_an_unknown_one(tool: QueryTool) -> None:
    with pytest.raises(QueryRefused, match="answered by role"):
        tool.run("select 1")
    with pytest.raises(QueryRefused, match="no role 'root'"):
        tool.run("select 1", role="root")


def test_the_role_of_the_settings_holds_when_none_is_named(lake: Lake, folder: Path) -> None:
    settings = lake.settings.model_copy(update={"role": "analyst"})
    tool = QueryTool(Lake(lake.uri, settings), Metastore.open(f"sqlite:///{folder}/other.db"))
    assert tool.run("select count(*) as n from shop.customers").item() == 3
    assert tool.run("select count(*) as n from shop.customers", role="admin").item() == 6


def test_a_role_means_nothing_without_policies(folder: Path) -> None:
    settings = Settings(lake_uri=str(folder))
    assert role_of(settings, None) is None
    with pytest.raises(QueryRefused, match="nothing without policies"):
        role_of(settings, "analyst")


def test_limits_are_read_in_units(lake: Lake) -> None:
    role = role_of(lake.settings, "analyst")
    assert role is not None
    assert role.limits == Limits(1000, 5.0, 512 * 1024**2, 100_000_000)


def test_hash_masks_need_a_key(lake: Lake, folder: Path) -> None:
    metastore = Metastore.open(f"sqlite:///{folder}/other.db")
    for reference, why in {None: "not set", "env://NOT_THERE_AT_ALL": "NOT_THERE"}.items():
        settings = lake.settings.model_copy(update={"mask_key": reference})
        with pytest.raises(QueryRefused, match=f"needs a key.*{why}"):
            QueryTool(Lake(lake.uri, settings), metastore).run(
                "select 1 from shop.customers", role="analyst"
            )


def test_a_policy_that_names_a_column_which_is_not_there_shows_nothing(
    lake: Lake, tmp_path: Path
) -> None:
    wrong = tmp_path / "p.yaml"
    wrong.write_text("roles: {r: {tables: {shop.customers: {masks: {emial: hash}}}}}")
    settings = lake.settings.model_copy(update={"policies": str(wrong)})
    tool = QueryTool(Lake(lake.uri, settings), Metastore.open(f"sqlite:///{tmp_path}/m.db"))
    with pytest.raises(QueryRefused, match="names a column 'emial'"):
        tool.run("select id from shop.customers", role="r")
    # DuckDB would take the name of a column that is not there for a function.
    wrong.write_text("roles: {r: {tables: {shop.customers: {rows: current_date > '2020-01-01'}}}}")
    with pytest.raises(QueryRefused, match="names a column 'current_date'"):
        tool.run("select id from shop.customers", role="r")
    wrong.write_text("roles: {r: {tables: {shop.customers: {masks: {id: redact}}}}}")
    assert tool.run("select max(id) as m from shop.customers", role="r").item() is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("roles: {r: {tables: {shop.customers: {rows: 'id in (select 1)'}}}}", "not one condition"),
        ("roles: {r: {tables: {t.a: {rows: 'id = 1) or (true'}}}}", "row filter is refused"),
        ("roles: {r: {tables: {t.a: {rows: 'id = 1, true'}}}}", "not one condition"),
        ("roles: {r: {tables: {t.a: {rows: 'true from x'}}}}", "not one condition|is refused"),
        ("roles: {r: {tables: {t.a: {rows: 'id = 1 limit 1'}}}}", "not one condition|is refused"),
        ("roles: {r: {tables: {t.a: {rows: 'random() < 0.5'}}}}", "calls random"),
        ("roles: {r: {tables: {t.a: {rows: 'day < today()'}}}}", "calls today"),
        ("roles: {r: {tables: {t.a: {rows: 'list_sum([x for x in l]) > 1'}}}}", "not one cond"),
        ("roles: {r: {tables: {t.a: {rows: 'max(id) > 1'}}}}", "calls max"),
        ("roles: {r: {tables: {t.a: {rows: 'getenv(''x'') = id'}}}}", "refused"),
        ("roles: {r: {tables: {t.a: {rows: 'id = $x'}}}}", "not one condition"),
        ("roles: {r: {tables: {t.a: {columns: [a], hide: [b]}}}}", "exclude each other"),
        ("roles: {r: {tables: {t.a: {maks: {a: hash}}}}}", "Extra inputs"),
        ("roles: {r: {tables: {t.a: {masks: {a: blur}}}}}", "masks"),
        ("roles: {r: {tables: {orders: {}}}}", "not schema.table"),
        ("roles: {r: {tables: {t.a: {hide: [x]}, t.a: {}}}}", "given twice"),
        ("roles: {r: {limits: {memory: lots}}}", "memory"),
        ("roles: [", "not YAML"),
        ("", "valid"),
    ],
)
def test_an_unclear_policy_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_policies(str(path))


def test_a_file_of_policies_that_is_not_there_is_no_permission(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policies(str(tmp_path / "none.yaml"))


def test_hidden_rows_are_null_before_they_are_left_out(lake: Lake) -> None:
    """Whatever order DuckDB tests conditions in, a query's own see nothing of a hidden row."""
    role = role_of(lake.settings, "analyst")
    assert role is not None
    columns = {field.name: duckdb_type(field.type) for field in lake.schema(CUSTOMERS)}
    view = role.view_sql(CUSTOMERS, lake.relation_sql(CUSTOMERS), columns)
    assert view is not None
    every_row = view.replace(" WHERE (country = 'DE'\n)", "")
    assert every_row != view
    hidden = duckdb.execute(f"FROM ({every_row}) WHERE id IS NULL").fetchall()
    assert hidden == [(None,) * 7] * 3


def test_the_policy_in_the_documentation_is_one(tmp_path: Path) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "policies.md").read_text(encoding="utf-8")
    path = tmp_path / "policies.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    assert set(load_policies(str(path)).roles) == {"analyst", "auditor"}


def test_the_command_line_takes_the_role_from_its_option_or_the_environment(
    lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``settings`` keeps metastore and spill files in the test's own folder."""
    monkeypatch.setenv("ETL_LAKE_URI", lake.uri)
    monkeypatch.setenv("ETL_POLICIES", str(lake.settings.policies))
    monkeypatch.setenv("ETL_MASK_KEY", str(lake.settings.mask_key))
    monkeypatch.setenv("ETL_ROLE", "analyst")

    def count(*options: str) -> str:
        get_settings.cache_clear()
        command = ["query", "select count(*) as n from shop.customers", "--json", *options]
        return CliRunner().invoke(app, command).stdout

    assert json.loads(count()) == [{"n": 3}]
    assert json.loads(count("--role", "admin")) == [{"n": 6}]
    assert count("--role", "nobody") == ""
