"""kill -9 at random moments of an incremental extraction: no record lost or doubled, and no page
that was complete is asked for again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.sources.api.spool import Spool
from etl_platform_tests.servers.orders import OrdersApi, orders_api

KILLS = int(os.environ.get("API_KILLS", "50"))
ORDERS = int(os.environ.get("API_ORDERS", "1500"))
PAGE = 25
_KILLS_OF_ONE = 6
"""After so many an extraction is left to end, so that commits are hit as well."""
ORDER_TABLE = TableName("shop", "orders")
LINES_TABLE = TableName("shop", "orders__lines")
TABLES = (ORDER_TABLE, LINES_TABLE)
_AT_COMMITS = 0.2
"""Of kills, those that come when a table's commit is seen; the others come at any time."""
TOKEN = "kills-token-of-the-orders"
State = dict[int, tuple[int, int]]
"""By order: its generation and the number of its lines."""


@dataclass
class Worker:
    """Runs the asset in children of a process that has everything imported."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, module: str = "api_worker") -> Worker:
        command = [sys.executable, "-m", f"etl_platform_tests.stress.{module}"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        made = cls(process)
        assert made.line() == "ready"
        return made

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(
        self, kill_after_s: float | None = None, kill_at: Callable[[], bool] | None = None
    ) -> str:
        """Make one run; ``done``, or ``killed`` where it took longer, or came as far, as that."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        child = int(self.line())

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

        timer = threading.Timer(kill_after_s or 0, kill)
        ended = threading.Event()

        def watch() -> None:
            assert kill_at is not None
            while not ended.wait(0.001):
                if kill_at():
                    kill()
                    break

        watching = threading.Thread(target=watch)
        if kill_at is not None:
            watching.start()
        elif kill_after_s is not None:
            timer.start()
        how = self.line()
        timer.cancel()
        ended.set()
        if kill_at is not None:
            watching.join()
        return how

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0


@dataclass
class Shop:
    """The API, and what its orders are in each generation."""

    api: OrdersApi
    lake: Lake
    random: random.Random
    generation: int = 0
    before: State = field(default_factory=dict[int, "tuple[int, int]"])
    state: State = field(default_factory=dict[int, "tuple[int, int]"])

    def change(self, share: float) -> None:
        """Change some orders and add as many; their lists grow and shrink."""
        self.generation += 1
        self.before = dict(self.state)
        changed = [n for n in self.state if self.random.random() < share]
        first = len(self.state) + 1
        added = range(first, first + (len(changed) or ORDERS))
        for number in [*changed, *added]:
            lines = self.random.randrange(4)
            self.state[number] = (self.generation, lines)
            self.api.orders[number] = {
                "id": number,
                "generation": self.generation,
                # Many at the same moment: the cursor's own value is read again.
                "updated_at": f"2024-01-{self.generation:04}T{number % 7:02}",
                "lines": [{"n": n, "generation": self.generation} for n in range(lines)],
            }

    def stored(self) -> dict[int, int]:
        """Generation of each order in the lake."""
        if not self.lake.exists(ORDER_TABLE):
            return {}
        rows = self.lake.scan(ORDER_TABLE).select("id", "generation").collect().rows()
        assert len(rows) == len({number for number, _ in rows}), "an order is there twice"
        return dict(rows)

    def check_whole(self) -> bool:
        """Readers see a generation whole: the new one (True) or the one before."""
        now, old = (
            {number: made for number, (made, _) in state.items()}
            for state in (self.state, self.before)
        )
        found = self.stored()
        assert found in (now, old)
        return found == now

    def check_lines(self) -> None:
        rows = (
            self.lake.scan(LINES_TABLE)
            .select("_parent_id", "_index_lines", "generation")
            .collect()
            .rows()
        )
        expected = {
            (number, place, made)
            for number, (made, lines) in self.state.items()
            for place in range(lines)
        }
        assert len(rows) == len(expected)
        assert set(rows) == expected


def complete_pages(folder: Path) -> set[str]:
    """Path and query of each page that is kept complete on disk."""
    found: set[str] = set()
    for path in folder.glob("*.answers"):
        with path.open("r+b", buffering=0) as file:
            spool = Spool(file)  # type: ignore[arg-type]
            for at in spool._at.values():
                entry = spool._entry(at)
                assert entry is not None
                parts = urlsplit(json.loads(entry[0])["url"])
                found.add(f"{parts.path}?{parts.query}")
    return found


@pytest.fixture
def shop(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    api = OrdersApi(page=PAGE, delay_s=0.02, wanted=f"Bearer {TOKEN}")
    with orders_api(api) as made:
        monkeypatch.setenv("SHOP_API", made.url)
        monkeypatch.setenv("SHOP_TOKEN", TOKEN)
        monkeypatch.setenv("SHOP_PAGE", str(PAGE))
        yield Shop(made, Lake(settings.lake_uri, settings), random.Random(7))


def committed_to(lake: Lake, table: TableName) -> Callable[[], bool]:
    """Whether a version was published since: of the lists, or of the orders with the cursor."""
    log = Path(lake.uri) / table.path / "_delta_log"
    before = set(log.glob("*.json"))
    return lambda: not before.issuperset(log.glob("*.json"))


def kill_at_random(shop: Shop, kills: int) -> str:
    """Kill so many runs, each at a moment of its own; the last one is left to end."""
    folder = Path(shop.lake.settings.temp_dir) / "apis"
    worker = Worker.start()
    moments = random.Random(11)
    killed = rounds = spared = midway = committed = 0
    shop.change(0)
    begun = time.monotonic()
    assert worker.run() == "done"
    took_s = time.monotonic() - begun
    assert shop.check_whole()
    shop.check_lines()
    while killed < kills:
        shop.change(0.3)
        rounds += 1
        kept: set[str] = set()
        left = _KILLS_OF_ONE
        asked_before = shop.api.asked.copy()
        while True:
            last = killed == kills or not left
            begun = time.monotonic()
            if not last and moments.random() < _AT_COMMITS:
                how = worker.run(kill_at=committed_to(shop.lake, moments.choice(TABLES)))
            else:
                how = worker.run(None if last else moments.uniform(0, 1.1 * took_s))
            assert how != "failed"
            again = {page for page in kept if shop.api.asked[page] > asked_before[page]}
            assert not again, f"complete pages were asked for again: {sorted(again)[:3]}"
            spared += len(kept)
            whole = shop.check_whole()
            if how == "done":
                assert whole
                shop.check_lines()
                # The machine may have become slower, or faster.
                took_s = time.monotonic() - begun
                break
            killed += 1
            # A second run after the commit has nothing to do that could be cut off.
            left = 0 if whole else left - 1
            committed += whole
            # What was published is not asked for again anyway: the cursor has moved.
            kept = set() if whole else complete_pages(folder)
            midway += len(kept) > 0
            asked_before = shop.api.asked.copy()
    worker.stop()
    return (
        f"{killed} kills in {rounds} extractions: "
        f"{midway} with complete pages on disk, {committed} after the commit; "
        f"{shop.api.asked.total():,} pages answered, {spared} times a "
        f"complete one was not asked for again; {len(shop.state):,} orders, none lost, none doubled"
    )


@pytest.mark.stress
def test_an_incremental_extraction_survives_fifty_kills(shop: Shop) -> None:
    print(f"\n{kill_at_random(shop, KILLS)}")


def test_an_incremental_extraction_survives_two_kills(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ORDERS", 300)
    assert "none doubled" in kill_at_random(shop, 2)
