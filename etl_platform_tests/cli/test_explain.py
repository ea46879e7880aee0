"""``etl explain`` as a shell sees it: estimates, findings, what was measured, what is withheld."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from etl_platform import Platform
from etl_platform.cli.app import app
from etl_platform.core.settings import Settings, get_settings
from etl_platform_tests.planner.advice.shop import build as build_shop
from etl_platform_tests.query.shop import SECRETS, build

MOST_VISITS = (
    "select c.country, count(*) as n from shop.visits v join shop.customers c on c.id = v.customer "
    "where v.month = 2 group by 1 order by n desc limit 3"
)


@pytest.fixture(autouse=True)
def _settings_are_read_again() -> Iterator[None]:
    yield
    get_settings.cache_clear()


def _use(settings: Settings, folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("ETL_METASTORE_URL", f"sqlite:///{folder}/meta.db")
    patch.setenv("ETL_LAKE_URI", settings.lake_uri)
    patch.setenv("ETL_TEMP_DIR", settings.temp_dir)
    if settings.policies is not None:
        patch.setenv("ETL_POLICIES", settings.policies)
        patch.setenv("ETL_MASK_KEY", str(settings.mask_key))
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    folder = tmp_path_factory.mktemp("explained")
    return build_shop(folder).settings, folder


@pytest.fixture(scope="module")
def policed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    folder = tmp_path_factory.mktemp("policed")
    return build(folder).settings, folder


def _etl(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_tree_tells_what_is_expected_of_each_operator(
    shop: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*shop, monkeypatch)
    told = _etl("explain", MOST_VISITS).stdout
    for line in (
        "└─ sort by n DESC",
        "aggregate by c.country: count(*)",
        "join on c.id = v.customer",
        "scan shop.visits v version 0: 1 of 12 files, 280 of 3,650 rows",
        "* prune files: shop.visits: 1 of 12 files",
    ):
        assert line in told
    assert not Platform.open().history()


def test_json_has_the_plan_its_operators_and_findings(
    shop: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*shop, monkeypatch)
    sql = "select id from shop.customers where zip = 10115"
    told = json.loads(_etl("explain", sql, "--json").stdout)
    assert [one["table"] for one in told["inputs"]] == ["shop.customers"]
    assert len(told["inputs"][0]["uris"]) == 1
    assert told["operators"]["kind"] == "filter"
    assert [(one["code"], one["line"]) for one in told["findings"]] == [("implicit-cast", 1)]
    assert "measured" not in told
    assert "warning 1:37 implicit-cast: " in _etl("explain", sql).stdout
    found = Platform.open().lint(sql)
    assert [asdict(one) for one in found] == told["findings"]


def test_analyze_runs_the_query_and_records_it(
    shop: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*shop, monkeypatch)
    told = json.loads(_etl("explain", MOST_VISITS, "--analyze", "--json").stdout)
    (past,) = Platform.open().history(1)
    assert (past.sql, past.status, past.rows) == (MOST_VISITS, "ok", 3)
    assert told["measured"]["rows"] == 3
    operators = [told["measured"]["root"]]
    by_kind: dict[str, dict[str, object]] = {}
    while operators:
        one = operators.pop()
        by_kind[one["kind"]] = one
        operators += one["children"]
    assert by_kind["hash_join"]["rows"] == by_kind["hash_join"]["expected_rows"] == 280
    shown = _etl("explain", MOST_VISITS, "--analyze").stdout
    assert "hash join INNER on customer = id" in shown
    assert "3 rows in " in shown


def test_through_a_policy_nothing_hidden_is_told(
    policed: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*policed, monkeypatch)
    sql = (
        "select c.email, count(*) as n from shop.customers c left join shop.orders o "
        "on o.customer = c.id where c.country > 'A' group by 1"
    )
    for arguments in (("--json",), (), ("--analyze", "--json"), ("--analyze",)):
        done = _etl("explain", sql, "--role", "analyst", *arguments)
        assert done.exit_code == 0, done.output
        text = done.stdout.lower()
        assert not [word for word in (*SECRETS, "sha256", "'de'", "card") if word in text]
    assert "what single operators did is not told: a policy changes what is seen of shop" in text
    told = json.loads(_etl("explain", sql, "--role", "analyst", "--json").stdout)
    inputs = {one["table"]: one for one in told["inputs"]}
    assert inputs["shop.customers"]["uris"] is inputs["shop.customers"]["rows"] is None
    assert inputs["shop.orders"]["rows"] == 4
    assert told["operators"]["rows"] is None


def test_what_is_left_out_through_a_policy_is_not_told(
    policed: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*policed, monkeypatch)
    told = {
        year: json.loads(
            _etl(
                "explain",
                f"select id from shop.customers where id > {year}",
                "--role",
                "clerk",
                "--json",
            ).stdout
        )
        for year in (0, 99)
    }
    assert told[0]["rules"] == told[99]["rules"]
    assert told[0]["operators"]["rows"] is told[99]["operators"]["rows"] is None


def test_what_may_not_be_read_is_not_explained_either(
    policed: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*policed, monkeypatch)
    for arguments in ((), ("--analyze",)):
        done = _etl("explain", "from hr.salaries", "--role", "analyst", *arguments)
        assert done.exit_code == 1
    done = _etl("explain", "from shop.orders", "--role", "tiny", "--analyze")
    assert "at most 10 bytes" in str(done.exception)


def test_the_history_is_advised_on(
    shop: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*shop, monkeypatch)
    platform = Platform.open()
    for month in (4, 5, 6):
        sql = f"select month, sum(seconds) as s from shop.visits where month < {month} group by 1"
        platform.query(sql)
        platform.query(sql)  # answered from the kept result: no run
    found = json.loads(_etl("advise", "--json").stdout)
    assert [(one["kind"], one["table"], one["queries"]) for one in found] == [
        ("rollup", "shop.visits", 3)
    ]
    told = _etl("advise").stdout
    assert "keep shop.visits by month" in told
    assert "sum(shop_visits.seconds) AS sum_seconds" in told
    assert "nothing would save much" in _etl("advise", "--limit", "1").stderr


def test_tables_that_a_policy_changes_are_not_advised_on(
    policed: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(*policed, monkeypatch)
    for score in range(4):
        sql = f"select country, count(*) from shop.customers where score = '{score}' group by 1"
        Platform.open().query(sql, role="clerk")
    assert _etl("advise", "--role", "clerk", "--json").stdout.strip() == "[]"
    refused = _etl("advise")
    assert refused.exit_code == 1
