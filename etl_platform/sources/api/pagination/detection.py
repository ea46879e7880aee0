"""The way of paging, found from an API's first answer, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl_platform.sources.api.pagination.link_header import LinkHeader, next_link
from etl_platform.sources.api.pagination.protocol import Scheme, Step
from etl_platform.sources.api.pagination.single import SinglePage
from etl_platform.sources.api.records.reading import Page


@dataclass(frozen=True, slots=True)
class Found:
    """A way of paging.

    Attributes:
        why: what in the answer showed it, or ``declared``.
    """

    scheme: Scheme
    why: str


def detect(page: Page, fetch: Callable[[Step], Page]) -> Found:
    """How this API's pages follow each other.

    Args:
        page: the first one, asked for without anything about pages.
        fetch: asks for another, where the first one does not tell.
    """
    del fetch
    if next_link(page):
        return Found(LinkHeader(), 'the header Link has rel="next"')
    return Found(SinglePage(), "nothing in the answer leads to another page")
