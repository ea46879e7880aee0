"""Numbers that answers give about all pages: in the document, or in a header."""

from __future__ import annotations

from etl_platform.sources.api.records.reading import Page

_HEADER = "header "


def number_at(where: str | None, page: Page) -> int | None:
    """The number; None where nothing is declared, or nothing is there."""
    text = text_at(where, page)
    return int(text) if text is not None and text.strip().isdigit() else None


def text_at(where: str | None, page: Page) -> str | None:
    """A text or number as written."""
    if where is None:
        return None
    if where.lower().startswith(_HEADER):
        return page.response.headers.get(where[len(_HEADER) :].strip().lower())
    return page.document.scalar(where) if page.document is not None else None
