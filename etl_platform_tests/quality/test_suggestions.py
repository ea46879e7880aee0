"""A proposed contract: its source meets it, and what comes next is not refused lightly."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.quality import Contract, audit
from etl_platform.quality.profiling import profile_staged
from etl_platform.quality.suggestions.headroom import (
    earliest,
    length_bound,
    number_bounds,
    share_bound,
)
from etl_platform.quality.suggestions.suggesting import Suggestion, suggest
from etl_platform.quality.suggestions.writing import to_yaml

ROWS = 2_000


def orders(seed: int, rows: int = ROWS) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    day = date(2024, 1, 1)
    return pl.DataFrame(
        {
            "code": [f"{seed:02}-{n:05}" for n in range(rows)],
            "amount": random.lognormal(3, 0.4, rows),
            "pieces": random.integers(1, 9, rows),
            "share": random.uniform(0.01, 0.99, rows),
            "country": random.choice(["de", "fr", "it"], rows),
            "iban": ["DE89370400440532013000", "GB82WEST12345698765432"] * (rows // 2),
            "url": [f"https://example.org/{n}" for n in random.integers(0, 900, rows)],
            "at": [day + timedelta(days=int(d)) for d in random.integers(0, 300, rows)],
            "note": [None if m < 0.1 else "x" * int(m * 30) for m in random.random(rows)],
            "fleet": [None if m < 0.9 else "a" for m in random.random(rows)],
            "ratio": [float("nan") if m < 0.1 else m for m in random.random(rows)],
        }
    )


@pytest.fixture
def proposed(con, stage):
    def made(data: pa.Table, *, whole: bool = True) -> Suggestion:
        staged = stage(data)
        return suggest(con, staged, profile_staged(con, staged, "full"), whole=whole)

    return made


def broken(con, staged, contract: Contract) -> list[str]:
    found = audit(con, staged, contract, relation_of=lambda _: None)
    return [outcome.rule.name for outcome in found.outcomes if outcome.status != "passed"]


def test_rules_say_what_was_seen_with_room_around_it(proposed):
    found = proposed(orders(1).to_arrow())
    rules = {rule.name: rule for rule in found.contract().rules}
    assert rules["row_count"].min == ROWS // 2
    assert rules["unique_code"].action == "block"
    assert rules["not_null_amount"].action == "block"
    assert {name: rules[name].action for name in rules if name.startswith("range")} == {
        "range_amount": "warn",
        "range_pieces": "warn",
        "range_share": "warn",
        "range_at": "warn",
    }
    assert (rules["range_pieces"].min, rules["range_pieces"].max) == (0, 10)
    assert (rules["range_share"].min, rules["range_share"].max) == (0, 1)
    assert rules["range_at"].max is None
    assert rules["set_country"].values == ("de", "fr", "it")
    assert rules["format_url_url"].format == "url"
    assert rules["null_share_note"].max == pytest.approx(0.16, abs=0.02)
    # A column of nulls, NaN, and personal data: nothing that would be refused or shown.
    about = {name for name in rules if name.endswith(("fleet", "ratio", "iban"))}
    assert about == {"not_null_iban", "not_null_ratio", "length_iban"}


def test_the_next_batches_of_the_same_source_meet_it(proposed, con, stage):
    contract = proposed(orders(1).to_arrow()).contract()
    for seed in range(2, 12):
        assert broken(con, stage(orders(seed).to_arrow()), contract) == []


def test_the_yaml_is_the_contract_with_a_comment_for_every_rule(proposed, con, stage):
    odd = orders(1).rename({"amount": "a: #'\n☃", "pieces": "a___"})
    found = proposed(odd.to_arrow())
    text = to_yaml(found, "Proposed for shop.orders")
    parsed = Contract.parse(yaml.safe_load(text)["contract"])
    assert parsed == found.contract()
    assert broken(con, stage(odd.to_arrow()), parsed) == []
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("    - "):
            assert lines[place - 1].startswith("    # ")
    assert "370400440532013000" not in text


def test_few_rows_are_evidence_of_little(proposed):
    few = proposed(pl.DataFrame({"id": [1, 2, 3], "name": ["a", "b", "b"]}).to_arrow())
    assert [rule.name for rule in few.contract().rules] == ["unique_id", "not_null_id"]
    none = proposed(pl.DataFrame({"id": []}, schema={"id": pl.Int64}).to_arrow())
    assert none.rules == ()
    assert yaml.safe_load(to_yaml(none, "x")) == {"contract": {"rules": []}}


def test_the_number_of_rows_means_nothing_where_batches_are_added(proposed):
    names = [rule.name for rule in proposed(orders(1).to_arrow(), whole=False).contract().rules]
    assert "row_count" not in names


def test_one_key_is_demanded_and_chance_is_not(proposed):
    rows = 500
    table = {"height": np.arange(rows) * 7 % 1009, "order_id": np.arange(rows)[::-1]}
    found = proposed(pl.DataFrame(table).to_arrow())
    assert [r.name for r in found.contract().rules if r.kind == "unique"] == ["unique_order_id"]
    assert found.notes == ("height also differ in every row; that may be chance",)


def test_a_pair_is_a_key_only_if_every_row_was_counted(proposed):
    rows = 20_000
    pair = {"a": np.arange(rows) // 200, "b": np.arange(rows) % 200}
    found = proposed(pl.DataFrame(pair).to_arrow())
    assert [r.columns for r in found.contract().rules if r.kind == "unique"] == [("a", "b")]
    pair["b"] = np.where(np.arange(rows) == rows - 1, 0, pair["b"])
    found = proposed(pl.DataFrame(pair).to_arrow())
    assert [r for r in found.contract().rules if r.kind == "unique"] == []


VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.string(): st.text(max_size=12),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us", "UTC"): st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    pa.decimal128(38, 4): st.decimals(-(10**30), 10**30, places=4).map(Decimal),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=3),
}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_whatever_it_was_made_from_meets_it(con, stage, data):
    columns = {}
    for n in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(list(VALUES)))
        some = data.draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=8))
        columns[f"c{n}"] = pa.array(some * (240 // len(some) + 1), kind)[:240]
    staged = stage(pa.table(columns))
    found = suggest(con, staged, profile_staged(con, staged, "full"), whole=True)
    assert broken(con, staged, found.contract()) == []
    assert Contract.parse(yaml.safe_load(to_yaml(found, "x"))["contract"]) == found.contract()


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_bounds_hold_what_was_seen_and_keep_its_sign(low, span):
    high = low + span
    least, most = number_bounds(low, high)
    assert least <= low <= high <= most
    assert least >= 0 or low < 0
    assert most <= 0 or high > 0


def test_bounds_have_room_and_few_digits():
    assert number_bounds(3, 1301) == (0, 1600)
    assert number_bounds(-43.0, 1272.0) == (-310, 1600)
    assert number_bounds(7, 7) == (0, 14)
    assert number_bounds(0.02, 0.97) == (0, 1)
    assert earliest("2013-01-01", "2013-12-31T10:00:00") == "2012-10-21"
    assert earliest("0001-01-01", "9999-12-31") is None
    assert [share_bound(s) for s in (0.0, 0.0254, 0.8)] == [0.01, 0.04, 1.0]
    assert length_bound(30) == 45
