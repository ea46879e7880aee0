"""Takes the picture of the README from a running UI; needs Chromium.

``python -m benchmarks.quick_start --picture`` has it taken, or
``python docs/site/screenshot.py ADDRESS`` of any page of the UI.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

PICTURE = Path(__file__).parents[1] / "ui.png"


def main() -> None:
    """Wait until the page shows what it loads, and keep it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-quic"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 590})
        page.goto(sys.argv[1])
        page.wait_for_load_state("networkidle")
        for dialog in page.get_by_role("dialog").all():
            dialog.get_by_role("button").last.click()
        page.wait_for_timeout(2000)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
