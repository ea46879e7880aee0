"""Functions between statements: checked when definitions load, and their rows when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl_platform.core.duck import connect, sealed
from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.planner.binding import Binder
from etl_platform.transforms.pipeline import Compiled, Declared, Written, compile_steps
from etl_platform.transforms.segments import load_function, run_segments
from etl_platform_tests.transforms.steps import frames

ROWS = TableName("s", "rows")
SCHEMA = {ROWS: {"k": "VARCHAR", "n": "BIGINT"}}
FUNCTIONS = {name: getattr(frames, name) for name in ("doubled", "nothing", "broken")}
COLUMNS = {"k": "VARCHAR", "n": "BIGINT"}


def _compiled(*steps: dict[str, Any]) -> Compiled:
    binder = Binder(SCHEMA)
    written = [Written(step, f"f.yaml:{line}") for line, step in enumerate(steps, 3)]
    declared = Declared(
        TableName("s", "made"),
        ROWS,
        written,
        "f.yaml:1",
        lambda name, _: name,
        functions=FUNCTIONS,
    )
    try:
        return compile_steps(declared, SCHEMA, binder)
    finally:
        binder.close()


def _python(function: str = "doubled", **more: Any) -> dict[str, Any]:
    return {"python": {"function": function, "columns": COLUMNS, **more}}


@pytest.mark.parametrize("spilled", [True, False], ids=["through files", "in memory"])
def test_steps_go_on_before_between_and_after_functions(tmp_path: Path, spilled: bool) -> None:
    compiled = _compiled(
        {"filter": "n > 1"},
        _python(),
        {"derive": {"n": "n + 1"}},
        _python(options={"by": 10}),
        {"aggregate": {"by": ["k"], "values": {"total": "sum(n)"}}},
    )
    assert compiled.inputs == (ROWS,)
    assert compiled.columns == {"k": "VARCHAR", "total": "DECIMAL(38,0)"}
    with connect() if spilled else sealed() as con:
        con.execute("CREATE SCHEMA s")
        con.execute("CREATE TABLE s.rows AS FROM (VALUES ('é', 1), ('é', 2), (NULL, 3)) AS t(k, n)")
        run_segments(compiled.segments, con, con.sql, tmp_path if spilled else None)
        found = con.execute(compiled.sql).fetchall()
    assert sorted(found, key=str) == [("é", 50), (None, 70)]


@pytest.mark.parametrize(
    ("step", "kind", "said"),
    [
        (_python("doubeld"), UnknownName, "doubeld"),
        (_python(options={"times": 2}), ConfigError, "doubled(rows"),
        (
            {"python": {"function": "doubled", "columns": {"n": "BIGNIT"}}},
            UnknownName,
            "BIGINT",
        ),
    ],
)
def test_what_cannot_be_called_is_said_when_definitions_load(
    step: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=r"f\.yaml:3") as refused:
        _compiled(step)
    assert said in str(refused.value)


def test_a_function_that_gives_other_columns_than_declared_stops_the_run() -> None:
    step = {"python": {"function": "doubled", "columns": {"k": "VARCHAR", "n": "INTEGER"}}}
    with pytest.raises(PermanentError, match=r"f\.yaml:3: python: .*n BIGINT"):
        _run(step)
    with pytest.raises(PermanentError, match="gave NoneType"):
        _run(_python("nothing"))


def test_an_error_of_a_function_is_its_own_with_the_place_of_the_step() -> None:
    with pytest.raises(ZeroDivisionError, match="of its own") as failed:
        _run(_python("broken"))
    assert failed.value.__notes__ == ["in the Python step at f.yaml:3: python"]


def test_another_text_of_a_function_or_another_option_is_other_logic() -> None:
    (one,) = _compiled(_python()).segments
    (same,) = _compiled(_python()).segments
    (other,) = _compiled(_python(options={"by": 3})).segments
    assert one.logic == same.logic != other.logic
    assert "pl.col" in one.logic


@pytest.mark.parametrize("path", ["doubled", "no.such.module", f"{frames.__name__}.dubled"])
def test_a_function_that_cannot_be_imported_is_named_with_its_place(path: str) -> None:
    with pytest.raises(ConfigError, match=r"f\.yaml:2"):
        load_function(path, "f.yaml:2")
    assert load_function(f"{frames.__name__}.doubled", "f.yaml:2") is frames.doubled


def _run(step: dict[str, Any]) -> None:
    with sealed() as con:
        con.execute("CREATE SCHEMA s; CREATE TABLE s.rows (k VARCHAR, n BIGINT)")
        run_segments(_compiled(step).segments, con, con.sql, None)
