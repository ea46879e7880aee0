"""Draws the Mermaid diagrams of the docs as SVG, once per text, so that readers need no script.

``python docs/site/diagrams.py mermaid.min.js`` needs Chromium, and Mermaid as its npm package has
it (``npm pack mermaid``). Pictures that no page shows any more are removed.
"""

from __future__ import annotations

import shutil
import sys

from hooks import DOCS, MERMAID, drawing

PICTURES = DOCS / "diagrams"
_OPTIONS = """{startOnLoad: false, theme: "neutral", htmlLabels: false,
  flowchart: {htmlLabels: false}, fontFamily: "sans-serif", deterministicIds: true}"""


def diagrams() -> dict[str, str]:
    """The text of every diagram of the docs, by the name of its picture."""
    return {
        drawing(match[1]): match[1]
        for page in sorted(DOCS.rglob("*.md"))
        for match in MERMAID.finditer(page.read_text())
    }


def main() -> None:
    """Draw what has no picture yet."""
    from playwright.sync_api import sync_playwright

    wanted = diagrams()
    PICTURES.mkdir(exist_ok=True)
    for path in PICTURES.glob("*.svg"):
        if path.name not in wanted:
            path.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.add_script_tag(path=sys.argv[1])
        page.evaluate(f"mermaid.initialize({_OPTIONS})")
        for name, text in wanted.items():
            if not (PICTURES / name).exists():
                script = "async (text) => (await mermaid.render('drawn', text)).svg"
                (PICTURES / name).write_text(str(page.evaluate(script, text)) + "\n")
        browser.close()


if __name__ == "__main__":
    main()
