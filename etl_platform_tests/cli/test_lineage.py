"""``etl lineage`` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform_tests.cli.conftest import Etl
from etl_platform_tests.cli.test_etl import process
from etl_platform_tests.planner.lineage.shop import fill


@pytest.fixture(autouse=True)
def shop(settings: Settings) -> None:
    fill(Lake(settings=settings))


def test_a_column_is_shown_as_a_tree_of_what_it_comes_from_and_goes_into(etl: Etl) -> None:
    done = process("lineage", "shop.orders.amount")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "shop.orders.amount",
        "├── comes from",
        "│   └── erp:public.orders.amount  postgresql",
        "└── goes into",
        "    └── marts.spent.total",
        "        └── warehouse:spent.sum  mariadb",
    ]
    assert "erp:" not in etl("lineage", "shop.orders.amount", "--down").stdout


def test_programs_get_nodes_and_edges(etl: Etl) -> None:
    graph = json.loads(etl("lineage", "marts.spent", "--up", "--depth", "1", "--json").stdout)
    assert (graph["table"], graph["column"]) == ("marts.spent", None)
    assert next(node["name"] for node in graph["nodes"]) == "marts.spent"
    assert {
        "from_table": "shop.rates",
        "from_column": "rate",
        "table": "marts.spent",
        "column": "total",
    } in graph["edges"]


def test_pictures_are_files_and_a_chart_is_printed(tmp_path: Path, etl: Etl) -> None:
    svg, html = tmp_path / "a.svg", tmp_path / "a.html"
    done = etl("lineage", "marts.spent", "--svg", str(svg), "--html", str(html), "--mermaid")
    assert done.returncode == 0
    assert done.stdout.startswith("flowchart LR\n")
    assert "8 tables" in done.stderr
    ET.parse(svg)
    assert html.read_text().startswith("<!doctype html>")


def test_an_unknown_table_is_an_error_with_the_next_step(etl: Etl) -> None:
    done = etl("lineage", "marts.spend")
    assert (done.returncode, done.stdout) == (1, "")
    assert "did you mean 'marts.spent'?" in done.stderr
