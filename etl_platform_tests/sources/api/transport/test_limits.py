"""Budgets, beside what the conformance suite shows with a server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etl_platform.sources.api.messages import ApiUnavailable
from etl_platform.sources.api.options import LimitOptions
from etl_platform.sources.api.transport.limits import open_budget
from etl_platform.sources.api.transport.limits.shared_file import SharedFile
from etl_platform.sources.api.transport.limits.told import Told, told_by
from etl_platform.sources.api.transport.limits.windows import Window

SERVER = "https://api.example.org"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"ratelimit": '"default";r=50;t=30'}, Told(50, 30)),
        ({"ratelimit": '"burst";r=3;t=1, "day";r=900;t=4000'}, Told(3, 1)),
        ({"ratelimit": "limit=100, remaining=7, reset=5"}, Told(7, 5)),
        ({"ratelimit-remaining": "9", "ratelimit-reset": "2"}, Told(9, 2)),
        ({"x-ratelimit-remaining": "0, 5", "x-ratelimit-reset": "12, 60"}, Told(0, 12)),
        ({"x-rate-limit-remaining": "1", "x-rate-limit-reset": "0.5"}, Told(1, 0.5)),
        (
            {
                "date": "Sun, 22 Nov 2026 12:00:00 GMT",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1795348830",
            },
            Told(0, 30),
        ),
        (
            {
                "date": "Sun, 22 Nov 2026 12:00:00 GMT",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1795348830000",
            },
            Told(0, 30),
        ),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-reset": "1"}, None),
        ({"x-ratelimit-remaining": "4"}, None),
        ({"ratelimit": "unlimited"}, None),
        ({}, None),
    ],
)
def test_headers_tell_what_is_left(headers: dict[str, str], told: Told | None) -> None:
    assert told_by(headers) == told


def test_no_span_of_time_holds_more_than_a_window_allows(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "budget", Window.numbers(3))
    window = Window(file, 0, 3, 10.0)
    now, sent, answered = 100.0, list[float](), list[float]()
    for latency_s in (0.0, 0.5, 3.0, 0.0, 0.2, 4.5, 0.0, 0.0, 0.9):
        now = max(now, window.free_at())
        taken = window.take(now)
        window.answered(taken, now + latency_s)
        sent.append(now)
        answered.append(now + latency_s)
    # However late one of them was counted, the third after it was sent ten seconds later.
    spans = [later - earlier for earlier, later in zip(answered, sent[3:], strict=False)]
    assert min(spans) >= 10.0
    assert sent[:6] == [100.0, 100.0, 100.0, 110.0, 110.5, 113.0]


def test_a_window_whose_requests_were_never_answered_goes_on(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "budget", Window.numbers(1))
    window = Window(file, 0, 1, 10.0)
    window.take(100.0)
    assert window.free_at() == 115.0


def test_threads_hold_no_more_places_than_there_are(tmp_path: Path) -> None:
    budget = open_budget("api", SERVER, LimitOptions(concurrent=3), tmp_path)
    lock, held, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal held, most
        place = budget.take_place()
        with lock:
            held += 1
            most = max(most, held)
        time.sleep(0.001)
        with lock:
            held -= 1
        budget.leave_place(place)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(200)))
    assert most == 3


def test_transports_of_a_process_share_one_budget(tmp_path: Path) -> None:
    limits = LimitOptions(concurrent=2)
    budget = open_budget("api", SERVER, limits, tmp_path)
    assert open_budget("api", SERVER, limits, tmp_path) is budget
    assert open_budget("api", "https://test.example.org", limits, tmp_path) is not budget
    assert open_budget("another", SERVER, limits, tmp_path) is not budget


def test_a_budget_whose_file_was_deleted_begins_anew(tmp_path: Path) -> None:
    budget = open_budget("api", SERVER, LimitOptions(), tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    assert open_budget("api", SERVER, LimitOptions(), tmp_path) is not budget


def test_a_pause_holds_for_other_processes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from etl_platform.sources.api.options import LimitOptions;"
        "from etl_platform.sources.api.transport.limits import open_budget;"
        f"open_budget('api', {SERVER!r}, LimitOptions(), Path(sys.argv[1])).pause(500)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    budget = open_budget("api", SERVER, LimitOptions(), tmp_path)
    with pytest.raises(ApiUnavailable, match=r"asked to wait (500|4\d\d) s more"):
        budget.count(longest_pause_s=60)


def test_what_a_server_tells_stops_requests_when_nothing_is_left(tmp_path: Path) -> None:
    budget = open_budget("api", SERVER, LimitOptions(), tmp_path)
    budget.take_place()
    budget.heed(Told(left=2, reset_s=1000))
    budget.count(60)
    budget.heed(Told(left=2, reset_s=1000))  # said before the last one was counted
    budget.count(60)
    with pytest.raises(ApiUnavailable):
        budget.count(60)


def test_a_child_made_by_fork_holds_no_places(tmp_path: Path) -> None:
    budget = open_budget("api", SERVER, LimitOptions(concurrent=1), tmp_path)
    place = budget.take_place()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, b"waiting\n")
        budget.take_place()
        os.write(writes, b"taken\n")
        os._exit(0)
    assert os.read(reads, 100) == b"waiting\n"
    budget.leave_place(place)
    assert os.read(reads, 100) == b"taken\n"
    assert os.waitpid(child, 0)[1] == 0
    os.close(reads)
    os.close(writes)
