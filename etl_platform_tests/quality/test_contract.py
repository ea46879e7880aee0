from __future__ import annotations

import json
import subprocess
import sys

import pytest

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.quality import RULES, Contract


def parse(**rule) -> Contract:
    return Contract.parse({"rules": [rule]})


def test_rules_have_stable_names_descriptions_and_references():
    contract = Contract.parse(
        {
            "rules": [
                {"rule": "range", "column": "dep_delay", "min": -120, "max": 2000},
                {"rule": "unique", "columns": ["origin", "time_hour"]},
                {
                    "rule": "foreign_key",
                    "column": "tailnum",
                    "references": "flights.planes.tailnum",
                },
                {"rule": "row_count", "min": 1},
                {"rule": "length", "column": "Dest Code", "min": 3, "max": 3, "name": "iata"},
                {"rule": "not_null", "column": "日本"},
            ]
        }
    )
    assert [rule.name for rule in contract.rules] == [
        "range_dep_delay",
        "unique_origin_time_hour",
        "foreign_key_tailnum",
        "row_count",
        "iata",
        "not_null_c7b7cdcc",
    ]
    assert contract.rules[0].description == "dep_delay is between -120 and 2000"
    assert contract.rules[2].references == (TableName("flights", "planes"),)
    assert contract.rules[1].columns == ("origin", "time_hour")


@pytest.mark.parametrize(
    ("given", "severity", "action"),
    [
        ({}, "error", "block"),
        ({"action": "warn"}, "warn", "warn"),
        ({"severity": "warn"}, "warn", "warn"),
        ({"action": "warn", "severity": "error"}, "error", "warn"),
        ({"action": "quarantine"}, "error", "quarantine"),
        ({"action": "quarantine", "severity": "warn"}, "warn", "quarantine"),
    ],
)
def test_severity_and_action_follow_each_other(given, severity, action):
    (rule,) = parse(rule="not_null", column="a", **given).rules
    assert (rule.severity, rule.action) == (severity, action)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rule": "rang", "column": "a"}, "unknown rule 'rang'; did you mean 'range'"),
        ({"column": "a"}, "a rule needs the key 'rule'"),
        ({"rule": "custom", "column": "a"}, "unknown rule 'custom'"),
        ({"rule": "not_null", "colum": "a"}, "unknown key 'colum'; did you mean 'column'"),
        ({"rule": "range", "column": "a"}, "needs min, max or both"),
        ({"rule": "length", "column": "a", "min": 2, "max": 1}, "min is greater than max"),
        ({"rule": "set", "column": "a", "values": []}, "at least 1 item"),
        ({"rule": "dtype", "column": "a", "dtype": "integre"}, "did you mean integer"),
        (
            {"rule": "dtype", "column": "a", "dtype": "int64", "action": "quarantine"},
            "nothing can be",
        ),
        ({"rule": "row_count", "min": 1, "action": "quarantine"}, "nothing can be quarantined"),
        (
            {"rule": "not_null", "column": "a", "severity": "warn", "action": "block"},
            "cannot block",
        ),
        ({"rule": "not_null", "column": "a", "name": "has space"}, "pattern"),
        ({"rule": "regex", "column": "a", "pattern": "(?=a)"}, "invalid perl operator"),
        ({"rule": "regex", "column": "a", "pattern": "(a{900}){900}"}, "pattern"),
        ({"rule": "regex", "column": "a", "pattern": r"\Ba"}, "no equivalent in Polars"),
        ({"rule": "foreign_key", "column": "a", "references": "planes"}, "schema.table.column"),
        (
            {"rule": "foreign_key", "columns": ["a", "b"], "references": "x.y.z"},
            "as many references as columns",
        ),
        (
            {"rule": "foreign_key", "columns": ["a", "b"], "references": ["x.y.a", "x.z.b"]},
            "the same table",
        ),
    ],
)
def test_a_wrong_contract_is_refused_with_what_would_be_right(rule, message):
    with pytest.raises(ConfigError, match=r"orders.yaml: rules\.0") as error:
        Contract.parse({"rules": [rule]}, where="orders.yaml")
    assert message in str(error.value)


def test_two_rules_of_one_name_have_to_be_named():
    twice = {"rule": "range", "column": "a", "min": 1}
    with pytest.raises(ConfigError, match="2 rules are named 'range_a'"):
        Contract.parse({"rules": [twice, twice]})
    assert Contract.parse({"rules": [twice, {**twice, "name": "other"}]})


def test_the_json_schema_offers_every_rule_and_forbids_other_keys():
    schema = Contract.model_json_schema()
    kinds = {d["properties"]["rule"]["const"]: d for d in schema["$defs"].values()}
    assert set(kinds) == {k.model_fields["rule"].default for k in RULES} - {"custom"}
    assert all(kind["additionalProperties"] is False for kind in kinds.values())
    assert {"column", "columns"} <= set(kinds["unique"]["properties"])
    assert "references" in kinds["foreign_key"]["properties"]


def test_a_contract_survives_json():
    contract = Contract.parse(
        {
            "rules": [
                {"rule": "foreign_key", "columns": ["a", "b"], "references": ["x.y.a", "x.y.b"]},
                {"rule": "range", "column": "a", "min": "2013-01-01", "action": "quarantine"},
                {"rule": "set", "column": "a", "values": [1, "b", True]},
            ]
        }
    )
    text = contract.model_dump_json(by_alias=True, exclude_unset=True)
    assert Contract.parse(json.loads(text)) == contract


def test_parsing_a_contract_loads_no_engine():
    code = (
        "import sys; from etl_platform.quality import Contract;"
        "Contract.parse({'rules': [{'rule': 'range', 'column': 'a', 'min': 1}]});"
        "print([m for m in ('polars', 'pandera', 'duckdb', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
