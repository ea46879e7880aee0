"""A stream in Dagster's UI: its batches are partitions, and replayed by clicking."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_platform.core.names import TableName
from etl_platform_tests.servers.kafka import Message
from etl_platform_tests.ui.conftest import BATCH_ROWS, POLL_S, Dagster
from etl_platform_tests.ui.test_ui import follow_launched_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
TABLE = TableName("live", "departures")
ROWS = f"FROM {TABLE} ORDER BY _source_position"
BATCHES = 4
REPLAYED = 3
BACKFILL_TIMEOUT_S = 120


def departure(number: int) -> Message:
    body = {
        "departed_at": f"2013-01-01T{number // 60:02}:{number % 60:02}:00Z",
        "carrier": "UA",
        "flight": number,
        "origin": "EWR",
        "dest": "IAH",
        "dep_delay": number % 30,
        "late": int(number % 30 > 15),
    }
    return Message(json.dumps(body).encode())


def test_three_batches_of_a_stream_are_replayed_by_clicking_and_give_the_same_rows(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    topic = dagster.kafka.create(1, "departures")
    dagster.kafka.produce(topic, [departure(n) for n in range(BATCHES * BATCH_ROWS)])
    dagster.copy.run("python", "-m", "etl_platform.demo.streaming", "ui")
    platform = dagster.copy.platform()
    before, version = platform.query(ROWS), platform.lake.version(TABLE)
    keys = before["_partition"].unique().sort().to_list()
    assert (before.height, len(keys)) == (BATCHES * BATCH_ROWS, BATCHES)

    page.goto(f"{dagster.url}/assets/live/departures?view=partitions")
    for key in keys:
        expect(page.get_by_text(key, exact=True).first).to_be_visible()
    expect(page.get_by_text(f"Materialized ({BATCHES})")).to_be_visible()
    page.screenshot(path=pictures / "9_partitions.png")

    page.get_by_role("button").filter(has_text=re.compile("^Materialize…$")).click()
    page.get_by_text("Select a partition or create one").click()
    for key in keys[:REPLAYED]:
        page.get_by_role("menuitem").filter(has_text=key).click()
    expect(page.get_by_text(f"{REPLAYED} partitions", exact=True)).to_be_visible()
    page.screenshot(path=pictures / "10_selection.png")
    page.get_by_role("img", name="expand_less").click()
    page.get_by_role("button", name="Launch backfill").click()
    follow_launched_run(page)
    deadline = time.monotonic() + BACKFILL_TIMEOUT_S
    while platform.lake.version(TABLE) < version + REPLAYED:
        assert time.monotonic() < deadline, "the backfill does not end"
        time.sleep(POLL_S)
    # Beside the heading of a column; the page itself asks only every ten seconds.
    done = page.get_by_text("Succeeded", exact=True).nth(1)
    while not done.is_visible():
        assert time.monotonic() < deadline, "the backfill is not told to have ended"
        page.reload()
        page.get_by_text("Partitions targeted").wait_for()
    expect(page.get_by_text("100% completed")).to_be_visible()
    page.screenshot(path=pictures / "11_backfill.png")

    assert platform.lake.version(TABLE) == version + REPLAYED
    assert platform.query(ROWS).equals(before)
