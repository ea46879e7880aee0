"""Pages by the next one's address in the answer: ``{"next": "https://..."}``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from etl_platform.sources.api.pagination.protocol import SchemeOptions, Step
from etl_platform.sources.api.pagination.totals import text_at
from etl_platform.sources.api.records.reading import Page


class NextUrl(SchemeOptions):
    """``type: next_url``: ends where there is no address."""

    type: Literal["next_url"] = "next_url"
    next: str = Field(
        description="Where the address is: a JSONPath.",
        examples=["$.next", "$.links.next", "$['@odata.nextLink']"],
    )

    def first(self) -> Step:
        """As declared."""
        return Step()

    def after(self, step: Step, page: Page) -> Step | None:
        """The address; one that is not whole is below the answer's own."""
        from urllib.parse import urljoin

        del step
        found = text_at(self.next, page)
        return Step(url=urljoin(page.response.url, found)) if found else None
