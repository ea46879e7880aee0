"""What the site has beyond the Markdown files: reference, drawn diagrams, files that are linked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

SITE = Path(__file__).parent
DOCS = SITE.parent
PROJECT = DOCS.parent
MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OUTSIDE = re.compile(r"\]\((?:\.\./)+((?:etl_platform|benchmarks|README|CONTRIBUTING)[^)#]*)\)")


def drawing(diagram: str) -> str:
    """The name of the picture of a diagram: another text is another picture."""
    return f"{sha256(diagram.encode()).hexdigest()[:12]}.svg"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference as pages, and every file of the project that a page links."""
    sys.path.insert(0, str(SITE))
    try:
        from reference import pages
    finally:
        sys.path.remove(str(SITE))
    made = pages()
    for name, text in made.items():
        files.append(File.generated(config, _reference(name), content=text))
    nav = config.nav or []
    placed = set(_pages(nav))
    others = sorted({f.src_uri for f in files.documentation_pages()} - placed - _named(made))
    config.nav = [
        *nav,
        *([{"More": others}] if others else []),
        {"Reference": sorted(_named(made))},
    ]
    linked = {
        match[1] for page in files.documentation_pages() for match in _OUTSIDE.finditer(_text(page))
    }
    for path in sorted(linked):
        source = PROJECT / path
        if not source.is_file():
            source = PROJECT / path / "__init__.py"
        files.append(File.generated(config, _place(path), content=source.read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Show pictures where diagrams are written, and link the project's files by their copies."""
    up = "../" * (len(PurePosixPath(page.file.src_uri).parts) - 1)
    shown = MERMAID.sub(lambda match: f"![Diagram]({up}diagrams/{drawing(match[1])})\n", markdown)
    return _OUTSIDE.sub(lambda match: f"]({up}{_place(match[1])})", shown)


def _pages(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, (list, dict)):
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(one)


def _named(made: Iterable[str]) -> set[str]:
    return {_reference(name) for name in made}


def _reference(name: str) -> str:
    return f"reference/{name}.md"


def _place(path: str) -> str:
    return f"source/{path}.txt"


def _text(file: File) -> str:
    return file.content_string
