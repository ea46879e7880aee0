"""Pages by their number: ``?page=3``."""

from __future__ import annotations

from itertools import count
from typing import Literal

from pydantic import Field

from etl_platform.sources.api.pagination.protocol import Ahead, SchemeOptions, Step
from etl_platform.sources.api.pagination.totals import number_at
from etl_platform.sources.api.records.reading import Page


class PageNumber(SchemeOptions):
    """``type: page_number``: ends by the number of pages, of records, or with a short page."""

    type: Literal["page_number"] = "page_number"
    param: str = Field(default="page", description="The query's parameter; or write {page}.")
    start: int = Field(default=1, description="The first page's number.")
    size: int | None = Field(default=None, ge=1, description="Records of a full page.")
    size_param: str | None = Field(
        default=None, description="The parameter that asks for pages of this size; or {size}."
    )
    total_pages: str | None = Field(
        default=None,
        description="Where the number of pages is: a JSONPath, or 'header X-Total-Pages'.",
        examples=["$.total_pages", "header X-Total-Pages"],
    )
    total_records: str | None = Field(
        default=None, description="Where the number of all records is, in the same forms."
    )

    def first(self) -> Step:
        """Page ``start``."""
        return self._step(self.start)

    def after(self, step: Step, page: Page) -> Step | None:
        """The next number, unless this was the last page."""
        number, full = self._number(step), step.full or len(page.records)
        last = self._last(page, full)
        if last is not None:
            return self._step(number + 1, full) if number < last else None
        if not page.records or self._is_short(step, page):
            return None
        return self._step(number + 1, full, beyond=True)

    def ahead(self, step: Step, page: Page) -> Ahead | None:
        """All numbers up to the last, or on and on where the last is not known."""
        number, full = self._number(step), len(page.records)
        last = self._last(page, full)
        if last is not None:
            return Ahead((self._step(n, full) for n in range(number + 1, last + 1)), known=True)
        if not full or (self.size is not None and full < self.size):
            return None
        steps = (self._step(n, full, beyond=True) for n in count(number + 1))
        return Ahead(steps, known=False)

    def total(self, page: Page) -> int | None:
        """What ``total_records`` says."""
        return number_at(self.total_records, page)

    def _is_short(self, step: Step, page: Page) -> bool:
        # The first page tells nothing: a server may give fewer records than it is asked for.
        return (
            self.size is not None
            and step.full is not None
            and len(page.records) < min(self.size, step.full)
        )

    def _last(self, page: Page, full: int) -> int | None:
        pages = number_at(self.total_pages, page)
        if pages is None and self.size is not None:
            records = self.total(page)
            size = full if 0 < full < self.size else self.size
            pages = None if records is None else -(-records // size)
        return None if pages is None else self.start + pages - 1

    def _step(self, number: int, full: int | None = None, *, beyond: bool = False) -> Step:
        sized = {} if self.size is None else {"size": self.size}
        named = {} if self.size_param is None else {"size": self.size_param}
        values = {"page": number, **sized}
        return Step(values, {"page": self.param, **named}, full=full, beyond=beyond)

    def _number(self, step: Step) -> int:
        return int(str(step.values["page"]))
