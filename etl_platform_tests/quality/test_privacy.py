"""A person's data never leaves the table through what describes it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.lakehouse.gate import admit
from etl_platform.publishing.checks import check_results
from etl_platform.publishing.publish import Publication, materialization_metadata
from etl_platform.quality import Contract, Profile, audit
from etl_platform.quality.report import report_html

ROWS = 40
MAILS = [f"canary{n}@secret.example" for n in range(ROWS)]
CARDS = ["4111111111111111", "5500005555555559", "4012888888881881", "4222222222222"] * 10
IPS = [f"198.51.100.{n}" for n in range(ROWS)]
NAMES = ["Canaria Quux", "Canary Quuz", "Birdie Quax", "Finch Quux"] * 10
RAW = ("canary1", "secret.example", "4111111111111111", "4012888888881881", "198.51.100.7", "Quux")

TABLE = pa.table(
    {
        "id": range(ROWS),
        "email": MAILS,
        "card_number": CARDS,
        "ip": IPS,
        "full_name": NAMES,
        "contact": [{"email": mail, "since": 2013} for mail in MAILS],
        "mails": [[mail, mail] for mail in MAILS],
    }
)
RULES = [
    {"rule": "length", "column": "email", "max": 3, "action": "warn"},
    {"rule": "set", "column": "card_number", "values": ["none"], "action": "warn"},
    {"rule": "regex", "column": "ip", "pattern": "x", "action": "warn"},
    {"rule": "unique", "columns": ["full_name"], "action": "warn"},
    {"rule": "expression", "expression": "id < 0", "action": "warn"},
    {"rule": "set", "column": "full_name", "values": ["x"], "name": "aside", "action": "warn"},
]


def assert_private(text: str) -> None:
    assert [raw for raw in RAW if raw in text] == []


@pytest.mark.parametrize("level", ["full", "basic", "off"])
@pytest.mark.parametrize("times", [1, 400], ids=["counted", "sketched"])
def test_no_text_about_a_batch_shows_personal_data(con, stage, level, times):
    table = pa.concat_tables([TABLE] * times)
    contract = Contract.model_validate({"rules": RULES})
    staged = stage(table)
    found = audit(con, staged, contract, relation_of=lambda _: None, level=level)
    assert {outcome.status for outcome in found.outcomes} == {"failed"}
    assert all(outcome.sample for outcome in found.outcomes)
    for outcome in found.outcomes:
        assert_private(f"{outcome.sample} {outcome.reason} {outcome.sql}")
    assert_private(report_html(found, staged_at()))
    assert_private(found.outcomes_json())
    for result in check_results(asset_key(), found):
        assert_private(f"{result.description} {result.metadata}")
    profile = found.profile
    assert_private(profile.to_json())
    if level == "off":
        return
    assert_private(profile.summary_markdown())
    assert_private(gzip.decompress(profile.to_bytes()).decode())
    personal = {column.name for column in profile.columns if column.pii}
    assert personal == {"email", "card_number", "ip", "full_name"}
    for column in profile.sketch.columns if profile.sketch else ():
        if column.name in personal:
            assert column.counts is None
            assert column.quantiles is None
            assert (column.low, column.high) == (None, None)
            assert column.distinct is not None


def test_merged_profiles_stay_masked_when_one_part_alone_knows_the_data_as_personal(con, stage):
    empty = TABLE.slice(0, 0)
    parts = [profile_of(con, stage(table)) for table in (TABLE, empty, TABLE)]
    merged = Profile.merge(parts)
    assert merged.column("email").pii == "email"
    assert merged.column("email").distinct == ROWS
    assert_private(gzip.decompress(merged.to_bytes()).decode())


def test_metadata_is_masked_and_the_quarantine_is_whole(settings: Settings):
    lake, table = Lake(settings=settings), TableName("shop", "people")
    rule = {"rule": "expression", "expression": "id < 30", "action": "quarantine"}
    contract = Contract.model_validate({"rules": [rule]})
    admission = admit(lake, table, TABLE, contract, profile="full")
    publication = Publication(table, contract, admission.receipt.mode)
    metadata = materialization_metadata(lake, publication, admission)
    assert_private(str(metadata))
    assert admission.audit.report is not None
    assert_private(Path(admission.audit.report).read_text(encoding="utf-8"))
    aside = lake.scan(table.quarantine).collect()
    assert sorted(aside["email"]) == sorted(MAILS[30:])
    assert aside["contact"].struct.field("email").to_list()[0] in MAILS


def test_leaves_of_nested_values_are_masked_by_what_they_hold(con, stage):
    contract = Contract.model_validate(
        {"rules": [{"rule": "expression", "expression": "id < 0", "action": "warn"}]}
    )
    (outcome,) = audit(con, stage(TABLE), contract, relation_of=lambda _: None).outcomes
    assert outcome.sample[0]["contact"] == "{'email': 'c***@***.example', 'since': 2013}"
    assert outcome.sample[0]["mails"] == "['c***@***.example', 'c***@***.example']"


def profile_of(con, staged) -> Profile:
    from etl_platform.quality.profiling import profile_staged

    return profile_staged(con, staged, "full")


def staged_at():
    from datetime import UTC, datetime

    return datetime(2026, 3, 1, tzinfo=UTC)


def asset_key():
    import dagster as dg

    return dg.AssetKey(["shop", "people"])
