"""Pages by the header ``Link: <https://...>; rel="next"`` (RFC 8288)."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urljoin

from etl_platform.sources.api.pagination.protocol import SchemeOptions, Step
from etl_platform.sources.api.records.reading import Page

_LINK = re.compile(r'\s*<([^>]*)>((?:\s*;\s*[\w!#$%&*+.^`|~-]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]*))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]*))', re.IGNORECASE)


class LinkHeader(SchemeOptions):
    """``type: link_header``: ends where no link is the next."""

    type: Literal["link_header"] = "link_header"

    def first(self) -> Step:
        """As declared."""
        return Step()

    def after(self, step: Step, page: Page) -> Step | None:
        """The link whose relation is ``next``."""
        del step
        found = next_link(page)
        return Step(url=found) if found else None


def next_link(page: Page) -> str | None:
    """The whole address of the next page, None where the header has none."""
    for link in _LINK.finditer(page.response.headers.get("link", "")):
        rel = _REL.search(link[2])
        if rel and "next" in (rel[1] or rel[2] or "").lower().split():
            return urljoin(page.response.url, link[1])
    return None
