"""What a person sees in Dagster's UI, clicked through with a real browser.

One file: all tests share one web server and daemon.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import psutil
import pytest

from etl_platform.core.names import TableName
from etl_platform_tests.servers.kafka import Message
from etl_platform_tests.ui.conftest import BATCH_ROWS, HOSTILE, POLL_S, Dagster

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

pytestmark = pytest.mark.browser
RUN_TIMEOUT_MS = 120_000
TABLE = TableName("live", "departures")
ROWS = f"FROM {TABLE} ORDER BY _source_position"
BATCHES = 4
REPLAYED = 3
BACKFILL_TIMEOUT_S = 120
COLUMNS_DRAWN = 8


def follow_launched_run(page: Page) -> None:
    page.get_by_role("region", name="Notifications").get_by_role("link", name="View").click()


def test_an_asset_is_materialised_by_clicking_and_shows_checks_columns_and_profile(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    # The asset graph of a group.
    page.goto(f"{dagster.url}/asset-groups~group%3A%22nyc%22")
    graph = page.locator("svg")
    graph.get_by_text("weather", exact=True).click()
    expect(page.get_by_role("heading", name="nyc / weather")).to_be_visible()
    page.screenshot(path=pictures / "1_graph.png")

    page.get_by_role("button", name="Materialize selected").click()
    follow_launched_run(page)
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "2_run.png")

    page.goto(f"{dagster.url}/assets/nyc/weather")
    expect(page.get_by_text("26,114", exact=True)).to_be_visible()
    columns = page.get_by_role("table").filter(has_text="Column name")
    expect(columns.get_by_role("row", name="wind_speed")).to_contain_text("DOUBLE")
    expect(columns.get_by_role("row", name="time_hour")).to_contain_text("TIMESTAMP")
    page.screenshot(path=pictures / "3_asset.png")

    page.get_by_role("tab", name="Events").click()
    metadata = page.get_by_role("table").filter(has_text="dagster/row_count")
    expect(metadata.get_by_role("row", name="quarantine_table")).to_contain_text(
        "nyc.weather__quarantine"
    )
    page.screenshot(path=pictures / "4_materialization.png")
    exactly_profile = page.get_by_role("cell", name="profile", exact=True)
    row = metadata.get_by_role("row").filter(has=exactly_profile)
    row.get_by_text("Show Markdown").click()
    profile = page.get_by_role("dialog").get_by_role("table")
    expect(profile.get_by_role("row", name="wind_gust")).to_contain_text("79.6 %")
    page.screenshot(path=pictures / "5_profile.png")
    page.get_by_role("button", name="Close").click()

    page.get_by_role("tab", name="Checks").click()
    page.get_by_text("range_humid").first.click()
    expect(page.get_by_text("26,115 rows checked")).to_be_visible()
    page.get_by_text("range_wind_speed").first.click()
    result = page.get_by_role("table").filter(has_text="failed_rows").first
    expect(result.get_by_role("row", name="action")).to_contain_text("quarantine")
    expect(result.get_by_role("row", name="failed_rows")).to_contain_text("1")
    expect(result.get_by_role("table")).to_contain_text("1048.36")
    page.screenshot(path=pictures / "6_check.png")


def acting(page: Page) -> list[str]:
    """What a text of the source became, if not letters: what loads, runs, or leads elsewhere than
    it says. An address alone is a link to itself."""
    kinds = "a[href^='javascript'], a[href*='evil.example'], [src*='evil.example'], [onerror]"
    return page.locator(kinds).evaluate_all(
        "all => all.filter(one => one.href !== one.textContent).map(one => one.outerHTML)"
    )


def test_a_blocked_asset_is_red_with_the_rows_that_blocked_it(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    done: list[str] = []
    page.on("dialog", lambda dialog: (done.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: "evil.example" in asked.url and done.append(asked.url))
    dagster.copy.change_source(f"UPDATE airports SET tzone = '{HOSTILE}' WHERE tz = -10")
    page.goto(f"{dagster.url}/assets/nyc/airports")
    expect(page.get_by_text("Ignore all instructions").first).to_be_visible()
    assert acting(page) == []
    page.get_by_role("button").filter(has_text=re.compile("^Materialize$")).click()
    follow_launched_run(page)
    expect(page.get_by_text("Failure", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "7_blocked_run.png")

    page.goto(f"{dagster.url}/assets/nyc/airports?view=checks&checkDetail=set_tzone")
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(page.get_by_text("nothing was published")).to_be_visible()
    expect(page.get_by_role("table").get_by_text(HOSTILE).first).to_be_visible()
    page.screenshot(path=pictures / "8_blocked_check.png")

    # What stands in the source, its comment or a value, is shown as letters wherever it is.
    assert acting(page) == []
    assert done == []


_LAUNCH = """
mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}, mode: "default"}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on InvalidSubsetError { message }
    ... on PythonError { message }
  }
}
"""


def launch(dagster: Dagster, *keys: str) -> str:
    """A run of several assets, as the UI launches it."""
    selector = {
        "repositoryLocationName": "etl_platform",
        "repositoryName": "__repository__",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [{"path": key.split("/")} for key in keys],
    }
    body = json.dumps({"query": _LAUNCH, "variables": {"selector": selector}}).encode()
    asked = Request(f"{dagster.url}/graphql", body, {"Content-Type": "application/json"})
    with urlopen(asked, timeout=RUN_TIMEOUT_MS / 1000) as answer:
        told = json.load(answer)["data"]["launchRun"]
    assert "run" in told, told
    return told["run"]["runId"]


def computing(dagster: Dagster) -> list[psutil.Process]:
    """The processes of runs: what the code servers below this copy have started."""
    found: list[psutil.Process] = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.cwd() == str(dagster.copy.root) and "grpc" in one.cmdline():
                found += [
                    child
                    for child in one.children()
                    if "resource_tracker" not in " ".join(child.cmdline())
                ]
    return found


def test_a_run_that_is_cancelled_by_clicking_stops_its_query(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    run = launch(dagster, "clicked/pairs")
    page.goto(f"{dagster.url}/runs/{run}")
    expect(page.get_by_text("STEP_START", exact=True).first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    (worker,) = computing(dagster)
    page.get_by_role("button", name="Terminate").click()
    page.screenshot(path=pictures / "14_terminate.png")
    page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.get_by_text("Canceled", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "15_cancelled.png")
    worker.wait(RUN_TIMEOUT_MS / 1000)
    assert not dagster.copy.platform().lake.exists(TableName("clicked", "pairs"))


def test_a_failed_run_is_executed_again_by_clicking_and_makes_only_what_is_missing(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    platform = dagster.copy.platform()
    (name,) = dagster.copy.ask_source("SELECT name FROM airlines WHERE carrier = 'AA'")[0]
    dagster.copy.change_source("UPDATE airlines SET name = NULL WHERE carrier = 'AA'")
    run = launch(dagster, "nyc/airlines", "nyc/planes", "clicked/names")
    page.goto(f"{dagster.url}/runs/{run}")
    expect(page.get_by_text("Failure", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    planes = platform.lake.version(TableName("nyc", "planes"))
    assert not platform.lake.exists(TableName("clicked", "names"))

    dagster.copy.change_source(f"UPDATE airlines SET name = '{name}' WHERE carrier = 'AA'")
    page.get_by_role("button", name="arrow_drop_down", exact=True).click()
    page.screenshot(path=pictures / "16_again.png")
    page.get_by_role("menuitem", name="From failure").click()
    page.wait_for_url(lambda url: "/runs/" in url and run not in url)
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "17_succeeded.png")
    assert platform.lake.version(TableName("nyc", "planes")) == planes
    assert platform.lake.snapshot(TableName("clicked", "names")).rows > 1


@pytest.fixture(scope="module")
def planes(dagster: Dagster) -> Path:
    """The folder of a table with two versions; the newer one has a check of its history."""
    words = ("dagster", "asset", "materialize", "--select", "key:nyc/planes")
    dagster.copy.run(*words, "-m", "etl_platform.definitions")
    return dagster.copy.root / ".etl" / "lake" / "nyc" / "planes"


def drawn(images: Locator) -> list[int]:
    """The widths of images as the browser decoded them; 0 for one that it could not draw."""
    return images.evaluate_all("all => all.map(one => one.complete ? one.naturalWidth : 0)")


def test_the_asset_page_shows_samples_pictures_and_the_history_of_an_anomaly(
    dagster: Dagster, planes: Path, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    page.goto(f"{dagster.url}/assets/nyc/planes")
    page.get_by_role("button").filter(has_text="Materialize").first.click()
    follow_launched_run(page)
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)

    page.goto(f"{dagster.url}/assets/nyc/planes?view=events")
    metadata = page.get_by_role("table").filter(has_text="dagster/row_count")
    expect(metadata.get_by_role("row", name="profile_report")).to_contain_text("_profile_pages")
    metadata.get_by_role("row", name="profile_pictures").get_by_text("Show Markdown").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("rows by version")).to_be_visible()
    expect(dialog.get_by_role("row", name="seats")).to_be_visible()
    widths = drawn(dialog.locator("img"))
    assert len(widths) >= COLUMNS_DRAWN + 2
    assert min(widths) > 0
    page.screenshot(path=pictures / "10_profile_pictures.png")
    page.get_by_role("button", name="Close").click()

    page.goto(f"{dagster.url}/assets/nyc/planes?view=checks&checkDetail=not_null_year")
    result = page.get_by_role("table").filter(has_text="failed_rows").first
    expect(result.get_by_role("row", name="failed_rows")).to_contain_text("70")
    expect(result.get_by_role("table").get_by_role("row")).to_have_count(11)
    page.screenshot(path=pictures / "11_samples.png")

    page.goto(f"{dagster.url}/assets/nyc/planes?view=checks&checkDetail=anomaly_rows")
    expect(page.get_by_text("is below the expected").first).to_be_visible()
    shown = page.get_by_role("row", name="history").first
    shown.get_by_text("Show Markdown").click()
    image = page.get_by_role("dialog").locator("img")
    expect(image).to_be_visible()
    assert drawn(image) == [480]
    page.screenshot(path=pictures / "12_anomaly.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_beside_the_table_open_without_network(
    planes: Path, page: Page, pictures: Path, scheme: str
) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    def only_files(route: Route) -> None:
        if route.request.url.startswith("file://"):
            route.continue_()
        else:
            route.abort()

    page.route("**/*", only_files)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for folder, heading in (
        ("_profile_pages", "nyc.planes"),
        ("_validation", "Validation of nyc.planes"),
    ):
        file = max((planes / folder).glob("*.html"))
        asked.clear()
        page.goto(file.as_uri())
        assert page.locator("h1").inner_text() == heading
        assert asked == [file.as_uri()]
        assert said == []
        # Nothing is wider than the page, and every drawing has a size.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        boxes = page.locator("svg").evaluate_all("a => a.map(o => o.getBoundingClientRect().width)")
        assert all(width > 0 for width in boxes)
        assert len(boxes) > COLUMNS_DRAWN or folder == "_validation"
        if folder == "_profile_pages":
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 28)")
        page.screenshot(path=pictures / f"13{folder}_{scheme}.png", full_page=True)


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


@pytest.mark.stress  # a minute of two processors
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


def backfill(page: Page, months: str, *, only_failed: bool = False) -> None:
    """Launch a backfill of months by the dialog of the asset's page."""
    page.get_by_role("button").filter(has_text=re.compile("^Materialize…$")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    chosen = dialog.get_by_role("textbox").first
    chosen.fill(months)
    chosen.blur()
    if only_failed:
        dialog.get_by_text("Backfill only failed and missing").click()
    dialog.get_by_role("button", name="Launch backfill").click()
    dialog.wait_for(state="hidden")


@pytest.mark.stress  # a minute of two processors
def test_the_months_that_failed_are_backfilled_by_clicking_and_no_others(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    bad = "time_hour >= '2013-02-01' AND time_hour < '2013-04-01' AND pressure IS NOT NULL"
    dagster.copy.change_source(f"UPDATE weather SET pressure = -pressure WHERE {bad}")
    page.goto(f"{dagster.url}/assets/months/weather?view=partitions")
    backfill(page, "[2013-01-01...2013-04-01]")
    page.goto(f"{dagster.url}/assets/months/weather?view=partitions")
    expect(page.get_by_text("Failed (2)")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect(page.get_by_text("Materialized (2)")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "18_failed_months.png")
    lake = dagster.copy.platform().lake
    table = TableName("months", "weather")
    version = lake.version(table)

    dagster.copy.change_source(f"UPDATE weather SET pressure = -pressure WHERE {bad}")
    backfill(page, "[2013-01-01...2013-04-01]", only_failed=True)
    page.goto(f"{dagster.url}/assets/months/weather?view=partitions")
    expect(page.get_by_text("Materialized (4)")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "19_months.png")
    assert lake.version(table) == version + 2
