"""Work falls back to the next engine in the same run, and only when the engine is to blame."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import SourceUnavailable
from etl_platform.metastore import Metastore
from etl_platform.selection import EngineFault, Measurement, NoEngine, Selector, attempts
from etl_platform_tests.selection.conftest import Place

SCHEMA = pa.schema([("id", pa.int64())])


def stream(rows: int, error: Exception | None = None) -> pa.RecordBatchReader:
    """Batches of ten rows; then, perhaps, an error."""

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, 10):
            yield pa.record_batch([pa.array(range(start, start + 10))], schema=SCHEMA)
        if error is not None:
            raise error

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


def load(
    metastore: Metastore, place: Place, errors: dict[str, Exception], **asked: object
) -> tuple[list[int], list[str]]:
    """Read 50 rows with the first engine that can; the rows and the engines used."""
    offered = [place.engine(name, prior=prior) for name, prior in (("a", 3e5), ("b", 2e5))]
    used: list[str] = []
    rows: list[int] = []
    for attempt in attempts(Selector(metastore), place.work(**asked), offered):
        with attempt:
            used.append(attempt.decision.engine)
            table = attempt.watch(stream(50, errors.get(used[-1]))).read_all()
            rows = table["id"].to_pylist()
    return rows, used


def test_the_first_engine_that_succeeds_does_the_work_once(
    metastore: Metastore, place: Place
) -> None:
    rows, used = load(metastore, place, {})
    assert (rows, used) == (list(range(50)), ["a"])
    (record,) = metastore.decisions.of_engine("extract", place.name, "a")
    assert (record.outcome, record.rows, record.error) == ("done", 50, None)
    assert record.seconds is not None
    assert record.peak_bytes is not None
    assert record.predicted_s == 20.0
    assert record.attempt == 1


def test_an_engines_own_fault_in_mid_stream_leads_to_the_next_in_the_same_run(
    metastore: Metastore, place: Place
) -> None:
    rows, used = load(metastore, place, {"a": EngineFault("a", "panicked on an interval")})
    assert (rows, used) == (list(range(50)), ["a", "b"])
    (second,) = metastore.decisions.of_engine("extract", place.name, "b")
    assert (second.outcome, second.attempt, second.fell_back_from) == ("done", 2, "a")
    assert second.reason.startswith(
        "fallback, because a failed by its own fault (panicked on an interval); "
    )
    assert json.loads(second.rejected) == [
        {"engine": "a", "reason": "failed in this run: panicked on an interval"}
    ]
    (first,) = metastore.decisions.of_engine("extract", place.name, "a")
    assert (first.outcome, first.rows) == ("engine_fault", 50)
    assert "panicked on an interval" in (first.error or "")


def test_the_sources_fault_is_nobodys_turn(metastore: Metastore, place: Place) -> None:
    lost = SourceUnavailable("connection to postgresql://etl:hunter2@db lost")
    with pytest.raises(SourceUnavailable):
        load(metastore, place, {"a": lost})
    (record,) = metastore.decisions.of_engine("extract", place.name, "a")
    assert record.outcome == "failed"
    assert "lost" in (record.error or "")
    assert "hunter2" not in (record.error or "")
    assert metastore.decisions.of_engine("extract", place.name, "b") == []


def test_when_every_engine_fails_the_last_fault_is_raised(
    metastore: Metastore, place: Place
) -> None:
    errors: dict[str, Exception] = {name: EngineFault(name, "broken") for name in "ab"}
    with pytest.raises(EngineFault, match="engine 'b' failed") as raised:
        load(metastore, place, errors)
    assert isinstance(raised.value.__cause__, NoEngine)


def test_a_pinned_engine_has_no_fallback(metastore: Metastore, place: Place) -> None:
    with pytest.raises(EngineFault, match="remove the pin"):
        load(metastore, place, {"a": EngineFault("a", "broken")}, pinned="a")


def test_what_happens_after_the_last_row_is_not_held_against_the_engine(
    metastore: Metastore, place: Place
) -> None:
    (attempt,) = attempts(Selector(metastore), place.work(), [place.engine("a")])

    def load_and_refuse() -> None:
        with attempt:
            attempt.watch(stream(50)).read_all()
            raise ValueError("contract")

    with pytest.raises(ValueError, match="contract"):
        load_and_refuse()
    (record,) = metastore.decisions.of_engine("extract", place.name, "a")
    assert (record.outcome, record.rows) == ("done", 50)


def test_work_that_is_stopped_early_is_no_measurement(metastore: Metastore, place: Place) -> None:
    for attempt in attempts(Selector(metastore), place.work(), [place.engine("a")]):
        with attempt:
            attempt.watch(stream(50)).read_next_batch()
    (record,) = metastore.decisions.of_engine("extract", place.name, "a")
    assert (record.outcome, record.error) == ("failed", "stopped before its end")


def test_a_metastore_that_is_gone_does_not_undo_the_work(
    tmp_path: Path, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metastore.db"
    metastore = Metastore.open(f"sqlite:///{path}")
    selector = Selector(metastore)
    decision = selector.choose(place.work(), [place.engine("a")])
    metastore.close()
    for file in tmp_path.iterdir():
        file.unlink()
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        selector.record(decision, Measurement(1, 1.0))
    assert f"{place.name}.lineitem was done by a, but the metastore did not take" in caplog.text
