"""The quality score is what its documented formula gives, computed here by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etl_platform.quality import RULES, Contract, Profile, audit
from etl_platform.quality.profiles.score import KEY_KINDS

TABLE = pa.table(
    {
        "id": [1, 2, 3, 3, 5, 6, 7, 8, 9, 10],
        "amount": [1.0, 2.0, float("nan"), float("inf"), 5.0, 6.0, 7.0, 8.0, None, None],
        "note": ["fine", " blank", "n/a", "fine", "fine", None, "fine", "fine", "fine", "fine"],
    }
)


def scored(con, stage, rules: list[dict[str, object]]) -> dict[str, float]:
    contract = Contract.model_validate({"rules": rules})
    profile: Profile = audit(
        con, stage(TABLE), contract, relation_of=lambda _: None, level="full"
    ).profile
    assert profile.score is not None
    parts = {part.name: part.score for part in profile.score.parts}
    return {**parts, "total": profile.score.total}


def test_without_rules_the_other_parts_are_scaled_up(con, stage):
    found = scored(con, stage, [])
    completeness = 100 * 27 / 30
    consistency = 100 * (6 + 7) / (8 + 9)  # finite of the numbers, tidy of the texts
    assert found == pytest.approx(
        {
            "completeness": completeness,
            "consistency": consistency,
            "total": (0.30 * completeness + 0.15 * consistency) / 0.45,
        },
        abs=0.01,
    )


def test_keys_count_for_uniqueness_and_warnings_for_half(con, stage):
    rules = [
        {"rule": "unique", "columns": ["id"], "action": "warn", "severity": "warn"},
        {"rule": "range", "column": "id", "max": 6},
        {"rule": "not_null", "column": "note", "severity": "warn"},
    ]
    found = scored(con, stage, rules)
    completeness, consistency = 100 * 27 / 30, 100 * 13 / 17
    validity = 100 * (6 + 0.5 * 9) / (10 + 0.5 * 10)
    uniqueness = 80.0  # both rows of the id that is there twice are to blame
    total = 0.30 * completeness + 0.40 * validity + 0.15 * uniqueness + 0.15 * consistency
    assert found == pytest.approx(
        {
            "completeness": completeness,
            "validity": validity,
            "uniqueness": uniqueness,
            "consistency": consistency,
            "total": total,
        },
        abs=0.01,
    )


def test_a_rule_that_did_not_run_counts_for_nothing(con, stage):
    rule = {"rule": "foreign_key", "column": "id", "references": "x.y.z"}
    assert "validity" not in scored(con, stage, [rule])


def test_the_rules_on_keys_are_kinds_that_there_are():
    assert set(KEY_KINDS) <= {rule.model_fields["rule"].default for rule in RULES}
