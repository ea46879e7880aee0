"""A metastore for all tests of selection: each works on a source and a kind of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from etl_platform.metastore import Metastore
from etl_platform.selection import Capabilities, Decision, Measurement, Selector, Work

_numbers = count()


@pytest.fixture(scope="session")
def metastore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metastore]:
    opened = Metastore.open(f"sqlite:///{tmp_path_factory.mktemp('selection')}/metastore.db")
    yield opened
    opened.close()


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: datetime = datetime(2024, 2, 29, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass(frozen=True)
class Place:
    """A source and a kind that nothing else in the metastore is about."""

    name: str = field(default_factory=lambda: f"source{next(_numbers)}")

    def work(self, **changed: object) -> Work:
        fields: dict[str, object] = {
            "kind": self.name,
            "table": f"{self.name}.lineitem",
            "shape_key": "decimal:4 int:4",
            "rows_estimated": 6_000_000,
            "source": self.name,
        }
        return Work(**(fields | changed))  # pyright: ignore[reportArgumentType]

    def engine(self, name: str, prior: float = 100_000.0, **changed: object) -> Capabilities:
        fields: dict[str, object] = {
            "kinds": frozenset({self.name}),
            "lossless": True,
            "streaming": True,
            "prior_rows_per_s": prior,
        }
        return Capabilities(name, **(fields | changed))  # pyright: ignore[reportArgumentType]


@pytest.fixture
def place() -> Place:
    return Place()


def done(
    selector: Selector, decision: Decision, rows_per_s: float, peak_bytes: int | None = None
) -> None:
    """Record that the work was done at a speed."""
    rows = decision.work.rows_estimated or 1_000_000
    selector.record(decision, Measurement(rows, rows / rows_per_s, peak_bytes))


def fault(selector: Selector, decision: Decision) -> None:
    """Record that the engine failed by its own fault."""
    selector.record(
        decision, Measurement(0, 0.1, error="it panicked\nin two lines", engine_fault=True)
    )
