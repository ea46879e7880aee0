"""Samples drawn by real databases: reproducible, of the size asked for, with honest intervals."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.quality.sampling import Estimate, SampleSpec, Strategy, sample, sampled_profile
from etl_platform.quality.sampling.design import Clusters
from etl_platform.sources.database import Database, SourceTable, reflect

ROWS = 20_000
SPECS = (
    "random:2000",
    "reservoir:2000",
    "systematic:2000",
    "stratified:2000:kind",
    "blocks:70%",
)
_COLUMNS = "id integer{key}, kind varchar(10), amount double precision, part smallint"
Opened = Callable[[str], tuple[Database, SourceTable]]


def _rows() -> list[tuple[int, str | None, float | None, int]]:
    """Keys with gaps; kinds of very different sizes; amounts skewed, one in ten missing."""
    found: list[tuple[int, str | None, float | None, int]] = []
    for i in range(ROWS):
        kind = None if i % 50 == 0 else "rare" if i % 400 == 1 else "often" if i % 3 else "some"
        amount = None if i % 10 == 3 else float((i * 7919) % 1000) ** 2 / 1000
        found.append((i + i // 7 * 2, kind, amount, i % 4))
    return found


TRUE_MEAN = sum(v for _, _, v, _ in _rows() if v is not None) / (ROWS - ROWS // 10)


@pytest.fixture(params=["postgresql", "mariadb", "sqlite", "duckdb"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """``opened(name)``: ``sales`` has an integer key, ``loose`` has none, ``seen`` is a view."""
    values = ", ".join(
        f"({i}, {'NULL' if kind is None else repr(kind)}, {'NULL' if v is None else v}, {part})"
        for i, kind, v, part in _rows()
    )
    statements = [
        f"CREATE TABLE sales ({_COLUMNS.format(key=' PRIMARY KEY')})",
        f"CREATE TABLE loose ({_COLUMNS.format(key='')})",
        f"INSERT INTO sales VALUES {values}",
        "INSERT INTO loose SELECT * FROM sales",
        "CREATE VIEW seen AS SELECT * FROM sales",
    ]
    match request.param:
        case "sqlite":
            url = f"sqlite:///{tmp_path / 'x.db'}"
            with sqlite3.connect(tmp_path / "x.db") as session:
                for statement in statements:
                    session.execute(statement)
        case "duckdb":
            url = f"duckdb:///{tmp_path / 'x.duckdb'}"
            with duckdb.connect(str(tmp_path / "x.duckdb")) as session:
                for statement in statements:
                    session.execute(statement)
        case kind:
            server = request.getfixturevalue("postgres" if kind == "postgresql" else "mariadb")
            analyze = "ANALYZE" if kind == "postgresql" else "ANALYZE TABLE sales"
            server.execute(*statements, analyze)
            url = server.url
    database = Database("shop", url)

    def table(name: str) -> tuple[Database, SourceTable]:
        (found,) = reflect(database, include=(name,), views=True)
        return database, found

    yield table
    database.close()


def holds(found: Estimate, truth: float) -> bool:
    """Whether an interval is claimed and holds the truth."""
    assert isinstance(found.low, (int, float)), found
    assert isinstance(found.high, (int, float)), found
    return found.low <= truth <= found.high


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(opened: Opened) -> None:
    at = opened("sales")
    for text in SPECS:
        first, again, other = (
            sample(*at, SampleSpec.parse(text, seed)).data.sort_by("id") for seed in (7, 7, 8)
        )
        assert first.equals(again), text
        assert not first.equals(other), text
        assert len(set(first["id"].to_pylist())) == len(first), text


def test_intervals_hold_the_truth_in_most_samples(opened: Opened) -> None:
    at = opened("sales")
    for text in SPECS:
        held = known = 0
        for seed in range(4):
            drawn = sample(*at, SampleSpec.parse(text, seed))
            profile = sampled_profile(drawn)
            mean, rows = profile.column("amount").mean, profile.rows
            assert mean is not None, text
            held += holds(mean, TRUE_MEAN)
            known += holds(rows, ROWS)
            assert drawn.data.num_rows == 2000 or not text.startswith("reservoir")
            assert isinstance(drawn.design.units, Clusters) or not text.startswith("blocks")
        # With 95 % each, fewer than two of four happen five times in ten thousand.
        assert held >= 2, text
        assert known >= 2, text


def test_strata_have_the_sizes_that_the_database_counts(opened: Opened) -> None:
    profile = sampled_profile(sample(*opened("sales"), SampleSpec.parse("stratified:1000:kind", 1)))
    kind = profile.column("kind")
    assert kind.nulls.value == pytest.approx(ROWS / 50 / ROWS)
    assert kind.nulls.confidence == 1.0
    assert {value.value for value in kind.top} == {"often", "some", "rare"}


def test_tables_without_a_key_and_views_are_sampled_too(opened: Opened) -> None:
    for name in ("loose", "seen"):
        for text in ("random:2000", "reservoir:500", "systematic:10%", "blocks:40%"):
            profile = sampled_profile(sample(*opened(name), SampleSpec.parse(text, 3)))
            mean = profile.column("amount").mean
            assert getattr(mean, "confidence", None) == 0.95, (name, text)
            assert profile.sampled_rows < ROWS / 2


def test_what_cannot_be_drawn_is_refused(opened: Opened) -> None:
    with pytest.raises(ConfigError, match="strata"):
        sample(*opened("seen"), SampleSpec(Strategy.STRATIFIED, by="kind"))
    with pytest.raises(UnknownName, match="did you mean 'kind'"):
        sample(*opened("sales"), SampleSpec(Strategy.STRATIFIED, by="kinds"))
    with pytest.raises(ConfigError, match="at most 200 strata"):
        sample(*opened("sales"), SampleSpec(Strategy.STRATIFIED, by="id"))
