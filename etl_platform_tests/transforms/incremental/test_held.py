"""Expectations of steps: checked once for each version of what they read, and again for others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.transforms.header import Header
from etl_platform.transforms.incremental.held import check_guards, proof
from etl_platform.transforms.incremental.state import Pin, State
from etl_platform.transforms.model import Model

PEOPLE, ORDERS = TableName("shop", "people"), TableName("shop", "orders")
GUARD = 'SELECT "id" FROM "shop"."people" GROUP BY "id" HAVING COUNT(*) > 1'
PINS = {PEOPLE: Pin(3, "a"), ORDERS: Pin(7, "b")}
UNIQUE, TWICE = "(VALUES (1), (2)) t(id)", "(VALUES (1), (1)) t(id)"


def model(*guards: str) -> Model:
    return Model(
        table=TableName("marts", "named"),
        path=Path("named.yaml"),
        sql="SELECT 1 AS n",
        inputs=(ORDERS, PEOPLE),
        columns={"n": "INTEGER"},
        header=Header(),
        input_columns={},
        guards=tuple((guard, "rows would be doubled") for guard in guards),
    )


def held(relation: str, pins: dict[TableName, Pin], known: tuple[str, ...]) -> tuple[str, ...]:
    with duckdb.connect() as con:
        return check_guards(con, model(GUARD), {PEOPLE: relation}, pins, frozenset(known))


def test_what_held_for_the_same_version_is_not_read_again() -> None:
    first = held(UNIQUE, PINS, ())
    assert len(first) == 1
    # The rows of a version never change: that these do shows that nobody looks.
    assert held(TWICE, PINS, first) == first
    # A table that the expectation does not read may change.
    assert held(TWICE, {**PINS, ORDERS: Pin(8, "b")}, first) == first


@pytest.mark.parametrize("pin", [Pin(4, "a"), Pin(2, "a"), Pin(3, "made again")])
def test_another_version_or_another_table_of_that_name_is_read(pin: Pin) -> None:
    first = held(UNIQUE, PINS, ())
    with pytest.raises(PermanentError, match="rows would be doubled"):
        held(TWICE, {**PINS, PEOPLE: pin}, first)
    assert held(UNIQUE, {**PINS, PEOPLE: pin}, first) != first


@pytest.mark.parametrize(
    "guard",
    [
        f"{GUARD} AND max(now()) IS NULL",
        f"{GUARD} AND max(random()) > 2",
        'SELECT "id" FROM "made"."between" WHERE "id" < 0',
    ],
)
def test_an_answer_that_may_differ_is_never_taken_as_known(guard: str) -> None:
    assert proof(guard, PINS) is None


def test_other_words_are_another_expectation() -> None:
    assert proof(GUARD, PINS) != proof(GUARD.replace("> 1", "> 2"), PINS)


def test_the_state_of_a_commit_keeps_what_held_and_reads_that_of_earlier_releases() -> None:
    state = State(PINS, "text", "logic", None, ("one", "two"))
    assert State.of(state.annotation()) == state
    before = replace(state, held=())
    assert '"one"' not in str(before.annotation())
    found = State.of(before.annotation())
    assert found is not None
    assert found.annotation() == before.annotation()
