"""What a person sees of a table's quality: samples, pictures, pages that need no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_platform_tests.ui.conftest import Dagster
from etl_platform_tests.ui.test_ui import RUN_TIMEOUT_MS, follow_launched_run

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

pytestmark = pytest.mark.browser
COLUMNS_DRAWN = 8


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
