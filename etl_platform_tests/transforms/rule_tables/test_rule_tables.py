# ruff: noqa: E501 - one case, one line
"""A rule table says what it seems to say, or is refused when definitions load."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_platform.components.transform.reading import Reading
from etl_platform.core.duck import sealed
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.transforms.declared import compile_tables

FLIGHTS = {"carrier": "VARCHAR", "delay": "DOUBLE", "at": "TIMESTAMP", "cancelled": "BOOLEAN"}
ROWS = "VALUES ('AA', 50.0, NULL, true), ('AA', 5, NULL, false), ('UA', NULL, NULL, true), (NULL, 200, NULL, NULL)"


def compiled(folder: Path, *rules: tuple[str, object], **options: object) -> str:
    step = {"column": "cause", "rules": [{"when": when, "then": then} for when, then in rules]}
    step = {name: value for name, value in {**step, **options}.items() if value != []}
    tables = {"t": {"from": "nyc.flights", "steps": [{"rules": step}]}}
    reading = Reading(folder, "marts", tables, {"least": 15}, {})
    (model,) = compile_tables(reading.declared, {TableName("nyc", "flights"): FLIGHTS})
    return model.sql


def test_the_first_condition_that_is_true_decides(tmp_path: Path) -> None:
    sql = compiled(
        tmp_path,
        ("cancelled", "cancelled"),
        ("delay > $least AND carrier IN ('AA', 'DL')", "carrier"),
        ("delay > $least", "other"),
        default=None,
    )
    with sealed() as con:
        con.execute("CREATE SCHEMA nyc")
        con.execute(
            f'CREATE VIEW nyc.flights AS SELECT * FROM ({ROWS}) AS t (carrier, delay, "at", cancelled)'
        )
        found = con.execute(f"SELECT cause FROM ({sql})").fetchall()
    assert found == [("cancelled",), (None,), ("cancelled",), ("other",)]


@pytest.mark.parametrize(
    ("conditions", "options", "reason"),
    [
        # never reached
        (["delay > 10", "delay > 20"], {"default": "x"}, r"rules\[1\] is never reached: rules\[0\] took all"),
        (["delay > 10", "delay > 10"], {"default": "x"}, r"rules\[1\] is never reached: the condition stands at rules\[0\]"),
        (["delay <= 10", "delay > 10", "delay = 3 AND carrier = 'AA'"], {"default": "x"}, r"rules\[2\] is never reached: rules\[0\] took"),
        (["delay < 20", "delay >= 20", "delay BETWEEN 10 AND 30"], {"default": "x"}, r"rules\[0\], rules\[1\] took all"),
        (["carrier IN ('AA', 'UA')", "carrier = 'UA' AND upper(carrier) = 'UA'"], {"default": "x"}, "never reached"),
        (["at >= '2024-01-01'", "at = DATE '2024-05-01'"], {"default": "x"}, "never reached"),
        (["true", "delay > 1"], {"default": "x"}, "never reached"),
        (["delay > 10 AND delay < 5"], {"default": "x"}, "the condition is never true"),
        (["false"], {"default": "x"}, "the condition is never true"),
        (["15 < delay", "delay > $least"], {"default": "x"}, "never reached"),
        # contradictions
        (["delay > 10", "delay < 20"], {"default": "x", "hit": "unique"}, "overlap: both are true for delay > 10 and delay < 20"),
        (["carrier = 'AA'", "carrier IN ('AA', 'UA')"], {"default": "x", "hit": "unique"}, "overlap: both are true for carrier = 'AA'"),
        # rows without a rule
        (["delay > 10"], {}, "no rule is for delay <= 10, and there is no 'default'"),
        (["delay > 10", "delay <= 10"], {}, "no rule is for delay is null"),
        (["carrier = 'AA'", "carrier IS NULL"], {}, "no rule is for carrier < 'AA'"),
        (["cancelled"], {}, "no rule is for other rows"),
        # what an expression may not be
        (["delay > (SELECT max(x) FROM t)"], {"default": "x"}, "may not read other tables"),
        (["read_text('/etc/passwd') = 'x'"], {"default": "x"}, "reads files"),
        (["now() > at"], {"default": "x"}, "the clock"),
        (["delay > 1; DROP TABLE t"], {"default": "x"}, "more than one statement"),
        (["dely > 1"], {"default": "x"}, "unknown column 'dely'"),
        (["delay > $most"], {"default": "x"}, "unknown variable 'most'"),
        (["sum(delay) > 1"], {"default": "x"}, "computed from many rows"),
        ([""], {"default": "x"}, "is empty"),
        ([], {"default": "x"}, "either 'rules' or 'from'"),
        (["delay > 1"] * 1001, {"default": "x"}, "1,001 rules"),
        (["delay > 1"], {"default": "x", "type": "regclass"}, "unknown type 'regclass'"),
        (["delay > 1"], {"default": {"a": 1}}, "default"),
        (["delay > 1"], {"default": "x", "column": "carrier"}, "there is a column 'carrier' already"),
    ],
)  # fmt: skip
def test_a_rule_table_that_does_not_say_what_it_seems_to_is_refused(
    tmp_path: Path, conditions: list[str], options: dict[str, object], reason: str
) -> None:
    with pytest.raises(PermanentError, match=reason):
        compiled(tmp_path, *((when, "a") for when in conditions), **options)


@pytest.mark.parametrize(
    ("conditions", "options"),
    [
        (["delay > 10", "delay <= 10", "delay IS NULL"], {}),
        (
            [
                "carrier = 'AA' AND delay > 1",
                "carrier = 'AA'",
                "carrier <> 'AA'",
                "carrier IS NULL",
            ],
            {},
        ),
        (["delay > 10", "delay > 5"], {"default": "x"}),
        (["delay > 10", "NOT (delay > 10)"], {"default": "x"}),
        (["upper(carrier) = 'AA'", "carrier = 'AA'"], {"default": "x", "hit": "unique"}),
        (["delay < 10", "delay >= 10"], {"default": None, "hit": "unique"}),
    ],
)
def test_a_rule_table_that_can_be_right_is_taken(
    tmp_path: Path, conditions: list[str], options: dict[str, object]
) -> None:
    compiled(tmp_path, *((when, "a") for when in conditions), **options)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("/etc/passwd", None, "not a file beside this one"),
        ("../secrets.csv", None, "not a file beside this one"),
        ("a/../../x.csv", None, "not a file beside this one"),
        ("https://example.org/x.csv", None, "not a file beside this one"),
        ("s3://bucket/x.csv", None, "not a file beside this one"),
        ("~/x.csv", None, "not a file beside this one"),
        ("*.csv", None, "not a file beside this one"),
        ("defs.yaml", None, "is no CSV file"),
        ("rule.csv", b"", "unknown file 'rule.csv'"),
        ("rules.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("rules.csv", b"when,then\n" + b"delay > 1,x\n" * 90_000, "at most 1,000,000"),
        ("rules.csv", b"", "1 to 1,000"),
        ("rules.csv", b"whem,then\ndelay > 1,x\n", "unknown column 'whem'|unknown column 'when'"),
        ("rules.csv", b"when,then\ndelay > 1\n", "rules.csv:2: 1 fields under a header of 2"),
        ("rules.csv", b"when,then\n,x\n", "rules.csv:2: there is no condition"),
        ("rules.csv", b"when,then\ndelay > 1,x\nread_text('x') = 'y',z\n", "(?s)rules.csv:3: when: .*reads files"),
        ("rules.csv", b"when,then\ndelay > 1,x\ndelay > 2,y\n", "rules.csv:3 is never reached: rules.csv:2 took"),
    ],
)  # fmt: skip
def test_a_hostile_or_wrong_csv_is_refused(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "rules.csv").write_bytes(content)
    with pytest.raises(PermanentError, match=reason):
        compiled(tmp_path, **{"from": name, "default": "x"})


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("when,then\ntrue,x\n")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "rules.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(PermanentError, match="leads out of its folder"):
        compiled(tmp_path / "here", **{"from": "rules.csv", "default": "x"})


def test_outcomes_are_values_whatever_they_hold(tmp_path: Path) -> None:
    hostile = "' || read_text('/etc/passwd') || '"
    assert "''' || read_text(''/etc/passwd'') || '''" in compiled(
        tmp_path, ("delay > 1", hostile), default=None
    )
