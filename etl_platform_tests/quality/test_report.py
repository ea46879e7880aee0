from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa

from etl_platform.core.objects import LocalStore
from etl_platform.quality import Contract, audit
from etl_platform.quality.report import report_html, write_report

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script><img src=http://evil/>"


def found(con, stage):
    mails = [f"ada{i}@example.org" for i in range(4)]
    table = pa.table({"n": [1, 2, 30, 40], HOSTILE: [HOSTILE] * 4, "email": mails})
    rules = [
        {"rule": "range", "column": "n", "max": 10, "action": "warn", "max_failures": 5},
        {"rule": "set", "column": HOSTILE, "values": ["ok"], "name": "tags"},
        {"rule": "length", "column": "email", "max": 3, "severity": "warn"},
        {"rule": "foreign_key", "column": "n", "references": "x.y.z"},
        {"rule": "not_null", "column": "n"},
    ]
    contract = Contract.parse({"rules": rules})
    return audit(con, stage(table), contract, relation_of=lambda _: None)


def test_the_report_says_every_outcome_and_holds_nothing_that_runs_or_loads(con, stage):
    page = report_html(found(con, stage), NOW, run_id="<b>run", partition="day=<i>")
    tags: list[tuple[str, list[str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, [name for name, _ in attrs]))

    Reader().feed(page)
    names = {tag for tag, _ in tags}
    assert not names & {"script", "img", "link", "iframe", "b", "i"}
    assert not any(name in ("src", "onerror", "onload") for _, names in tags for name in names)
    assert re.findall(r'href="([^#"].*?)"', page) == []
    assert "&lt;script&gt;" in page
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
    assert "Nothing was published." in text
    assert "range_n passed (within tolerance) 2" in text
    assert "tags failed 4 100.000% block" in text
    assert "foreign_key_n not run" in text
    assert "table x.y does not exist yet" in text
    assert "not_null_n passed 0" in text
    assert "SELECT * FROM shop.orders WHERE" in text
    assert "a***@***.org" in text
    assert "ada1@" not in page


def test_reports_stand_beside_the_table_and_the_oldest_go(con, stage, tmp_path: Path):
    audited = found(con, stage)
    store = LocalStore(tmp_path)
    files = [
        write_report(store, audited, run_id="ab/../c", moment=NOW + timedelta(seconds=i))
        for i in range(52)
    ]
    kept = sorted((tmp_path / "shop/orders/_validation").iterdir())
    assert [str(file) for file in kept] == files[2:]
    assert kept[0].name == "20260301T120002000000-abc.html"


def test_a_contract_without_rules_has_no_report(con, stage, tmp_path: Path):
    audited = audit(con, stage(pa.table({"n": [1]})), Contract(), relation_of=lambda _: None)
    assert write_report(LocalStore(tmp_path), audited) is None
