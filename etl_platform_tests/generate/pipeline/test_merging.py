"""Generated again over files that people edited: their text stays, what drifted comes in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml

from etl_platform.core.errors import ConfigError
from etl_platform.generate.pipeline import Ask, Plan, existing_attributes, kind_of, plan
from etl_platform.generate.pipeline.drift import Conflict, merged
from etl_platform.generate.pipeline.editing import edited, read_yaml
from etl_platform.generate.pipeline.text_merge import merged_text

BASE = """\
type: t
attributes:
  url: a
  tables:
    # about 2 rows when this was written
    one:
      contract:
        rules:
          - {rule: unique, columns: [id]}
          - {rule: not_null, column: x, action: quarantine}
    # about 3 rows when this was written
    two:
      description: Two
    three:
      description: Three
"""
OURS = """\
type: t   # ours
attributes:
  url: 'a'
  tables:
    # about 2 rows when this was written
    one:
      # asked Ada about this one
      owners: [team:data]
      contract:
        rules:
          - rule: unique   # really
            columns: [id]

          - {rule: not_null, column: x, action: warn}
          - {rule: range, column: x, min: 0}
    # about 3 rows when this was written
    two:
      description: Two
    # keep an eye on three
    three:
      description: >
        Three,
        in words
"""


def again(ours: str, new: str, base: str = BASE) -> tuple[str, list[Conflict]]:
    conflicts: list[Conflict] = []
    wanted = merged(
        read_yaml(base, "b"), read_yaml(ours, "o"), read_yaml(new, "n"), "f", (), conflicts
    )
    assert isinstance(wanted, dict)
    return edited(ours, wanted, {("attributes", "tables", "four"): ["new"]}, base, "f"), conflicts


def test_edits_stay_byte_for_byte_and_drift_comes_in() -> None:
    new = BASE.replace(
        "    # about 3 rows when this was written\n    two:\n      description: Two\n", ""
    )
    new = new.replace("[id]}\n", "[id]}\n          - {rule: not_null, column: why}\n")
    new += "    four:\n      description: 'Four: new'\n"
    text, conflicts = again(OURS, new)
    gone = "    # about 3 rows when this was written\n    two:\n      description: Two\n"
    expected = OURS.replace(gone, "").replace(
        "min: 0}\n", "min: 0}\n          - {rule: not_null, column: why}\n"
    )
    assert text == expected + '    # new\n    four:\n      description: "Four: new"\n'
    assert conflicts == []


def test_what_both_changed_stays_and_is_named() -> None:
    new = BASE.replace("column: x, action: quarantine", "column: x, action: block").replace(
        "Three\n", "Drei\n"
    )
    text, conflicts = again(OURS, new)
    assert text == OURS
    assert [one.at[2] for one in conflicts] == ["one", "three"]
    assert "kept as Three, in words" not in str(conflicts[1])
    assert "changed it from Three to Drei" in str(conflicts[1])


def test_what_was_edited_and_is_gone_at_the_source_stays_and_is_named() -> None:
    text, (conflict,) = again(OURS, BASE[: BASE.index("    three:")])
    assert text == OURS
    assert conflict.at == ("attributes", "tables", "three")
    assert "no longer has it" in conflict.why


def test_what_was_removed_by_hand_stays_removed() -> None:
    ours = BASE.replace("          - {rule: unique, columns: [id]}\n", "")
    assert again(ours, BASE) == (ours, [])


def test_a_value_on_its_line_changes_without_its_comment() -> None:
    ours = BASE.replace("url: a", "url: a  # where it is")
    text, _ = again(ours, BASE.replace("url: a", "url: b"))
    assert "  url: b  # where it is\n" in text


@pytest.mark.parametrize(
    ("ours", "new"),
    [
        ("a: {b: 1, c: [1, 2]}\n", "a: {b: 2, c: [1, 2, 3]}\n"),
        ("a:\n", "a: {b: 1}\n"),
        ("a: {}\n", "a:\n  b: 1\n"),
        ("a:\n- 1\n- 2\n", "a: [2, 3]\n"),
        ("a: |\n  text\n\nb: 1\n", "a: other\nb: 1\n"),
        ("a: 'x\n  y'\nb: 1\n", "a: z\nb: 2\n"),
        ("a:\n  - 1\nb: 2", "b: 2\n"),
        ("a: 1", "a: 1\nb: [1, {c: 2}]\n"),
        ("", "a: 1\n"),
        ("a:\n  - {rule: r, column: x}\n", "a:\n  - {rule: r, column: why}\n"),
        ("a:\n  b: 1\n  # theirs\nc: 2\n", "a:\n  d: 1\nc: 2\n"),
    ],
)
def test_a_text_says_what_is_wanted_afterwards(ours: str, new: str) -> None:
    text, conflicts = again(ours, new, base=ours)
    assert conflicts == []
    assert yaml.safe_load(text) == yaml.safe_load(new)


def test_a_rule_that_stands_between_others_at_the_source_comes_last() -> None:
    rules = [f"  - {{rule: not_null, column: {name}}}\n" for name in ("one", "two", "three")]
    text, _ = again(
        "a:\n" + rules[0] + rules[2], "a:\n" + "".join(rules), "a:\n" + rules[0] + rules[2]
    )
    assert text == "a:\n" + rules[0] + rules[2] + rules[1]


def test_what_cannot_be_changed_in_place_is_refused() -> None:
    ours = "a: &x {b: 1}\nc: *x\n"
    with pytest.raises(ConfigError, match="cannot be changed in place"):
        again(ours, "a: {b: 1}\nc: {b: 2}\n", base=ours)


def test_lines_of_sql_meet_only_where_both_changed_them() -> None:
    base = "SELECT\n    a,\n    b,\nFROM t\n"
    ours = "SELECT\n    a,\n    b,\n    a + b AS c,\nFROM t\nWHERE a > 0\n"
    assert merged_text(base, ours, base.replace("b,\n", "b,\n    d,\n")) == ours.replace(
        "AS c,\n", "AS c,\n    d,\n"
    )
    assert (
        merged_text(base, base.replace("b,", "b + 1 AS b,"), base.replace("    b,\n", "")) is None
    )


def generate(defs: Path, database: Path) -> Plan:
    ask = Ask(f"sqlite:///{database}", "shop", "X", existing=existing_attributes(defs, "shop"))
    planned = plan(defs, kind_of(ask.uri).describe(ask))
    planned.apply(defs)
    return planned


def run(database: Path, *statements: str) -> None:
    with sqlite3.connect(database) as con:
        for statement in statements:
            con.execute(statement)
    con.close()


def test_hand_edits_survive_twenty_changes_of_the_schema(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    tables = [f"t{number}" for number in range(12)]
    run(
        database,
        *(
            f"CREATE TABLE {one} (id int PRIMARY KEY, a text NOT NULL, b text, "
            f"r int REFERENCES t0 (id))"
            for one in tables
        ),
    )
    generate(tmp_path, database)
    defs, model = tmp_path / "shop/defs.yaml", tmp_path / "shop_staging/t0.sql"
    edits = {
        "    t0:\n": "    # Ada knows it\n    t0:\n      owners: ['team:data']   # really\n",
        '  schedule:\n    cron: "0 6 * * *"\n': "  schedule:\n    cron: '0 4 * * *'  # early\n",
        "    t3:\n": "    t3:\n      freshness: {fail_after: 2h}\n",
    }
    text = defs.read_text()
    for old, mine in edits.items():
        assert old in text
        text = text.replace(old, mine)
    defs.write_text(text)
    model.write_text(model.read_text().replace("    b,\n", "    b,\n    upper(a) AS loud,\n"))
    changes = [
        *(f"CREATE TABLE n{number} (id int PRIMARY KEY, v text)" for number in range(5)),
        *(f"DROP TABLE t{number}" for number in range(7, 12)),
        *(f"ALTER TABLE t{number} ADD COLUMN c text NOT NULL DEFAULT ''" for number in range(5)),
        *(f"ALTER TABLE t{number} DROP COLUMN b" for number in range(1, 6)),
    ]
    assert len(changes) == 20
    for change in changes:
        run(database, change)
        assert generate(tmp_path, database).conflicts == ()
    text = defs.read_text()
    for mine in edits.values():
        assert mine in text
    found = yaml.safe_load(text)["attributes"]["tables"]
    assert set(found) == {*tables[:7], *(f"n{number}" for number in range(5))}
    assert "    upper(a) AS loud,\n    r,\n    c,\n" in model.read_text()
    assert "    b,\n" not in (tmp_path / "shop_staging/t1.sql").read_text()
    assert not (tmp_path / "shop_staging/t11.sql").exists()
    assert generate(tmp_path, database).changes == ()
