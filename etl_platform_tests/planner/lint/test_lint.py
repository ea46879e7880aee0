"""Each lint fires where it should, says where, and leaves sound statements alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_platform.planner.advice.knowledge import knowledge
from etl_platform.planner.catalog import Catalog, LakeCatalog
from etl_platform.planner.lint import LINTS, Finding, lint
from etl_platform.planner.parsing import parse
from etl_platform.planner.planning import plan
from etl_platform_tests.planner.advice.shop import build

CASES: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("findings.yaml").read_text()
)
FIRES = [(code, case) for code, cases in CASES.items() for case in cases["fires"]]
QUIET = [(code, sql) for code, cases in CASES.items() for sql in cases["quiet"]]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return LakeCatalog(build(tmp_path_factory.mktemp("lint")))


def _found(catalog: Catalog, sql: str) -> tuple[Finding, ...]:
    return lint(parse(sql), knowledge(catalog, plan(sql, catalog).inputs))


def test_every_lint_has_cases_and_a_docstring() -> None:
    codes = [one.__name__.replace("_", "-") for one in LINTS]
    assert codes == list(CASES)
    assert all("not apply" in (one.__doc__ or "") for one in LINTS)


@pytest.mark.parametrize(("code", "case"), FIRES, ids=lambda value: str(value)[:40])
def test_it_fires(catalog: Catalog, code: str, case: dict[str, str]) -> None:
    found = [one for one in _found(catalog, case["sql"]) if one.code == code]
    assert [one.place for one in found] == [case["at"]]
    assert case["says"] in f"{found[0].message}; {found[0].fix}"


@pytest.mark.parametrize(("code", "sql"), QUIET, ids=lambda value: str(value)[:40])
def test_it_leaves_sound_statements_alone(catalog: Catalog, code: str, sql: str) -> None:
    assert code not in {one.code for one in _found(catalog, sql)}


def test_what_only_duckdb_can_resolve_is_still_looked_at_as_written(catalog: Catalog) -> None:
    found = _found(catalog, "select columns('t.*') from shop.orders where customer = null")
    assert [one.code for one in found] == ["null-comparison"]
