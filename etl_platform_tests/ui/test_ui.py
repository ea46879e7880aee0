"""What a person sees in Dagster's UI, clicked through with a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_platform_tests.ui.conftest import Dagster

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
RUN_TIMEOUT_MS = 120_000


def follow_launched_run(page: Page) -> None:
    page.get_by_role("region", name="Notifications").get_by_role("link", name="View").click()


def test_an_asset_is_materialised_by_clicking_and_shows_checks_columns_and_profile(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    # The asset graph; a group opens when it is clicked.
    page.goto(f"{dagster.url}/asset-groups")
    graph = page.locator("svg")
    graph.get_by_text("nyc", exact=True).click()
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


def test_a_blocked_asset_is_red_with_the_rows_that_blocked_it(
    dagster: Dagster, page: Page, pictures: Path
) -> None:
    from playwright.sync_api import expect

    dagster.copy.change_source("UPDATE airports SET tzone = 'Asia/Chongqing' WHERE tz = -10")
    page.goto(f"{dagster.url}/assets/nyc/airports")
    page.get_by_role("button").filter(has_text=re.compile("^Materialize$")).click()
    follow_launched_run(page)
    expect(page.get_by_text("Failure", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.screenshot(path=pictures / "7_blocked_run.png")

    page.goto(f"{dagster.url}/assets/nyc/airports?view=checks&checkDetail=set_tzone")
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(page.get_by_text("nothing was published")).to_be_visible()
    expect(page.get_by_role("table").get_by_text("Asia/Chongqing").first).to_be_visible()
    page.screenshot(path=pictures / "8_blocked_check.png")
