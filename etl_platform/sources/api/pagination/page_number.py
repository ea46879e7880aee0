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
        number = self._number(step)
        last = self._last(page)
        if last is not None:
            return self._step(number + 1) if number < last else None
        if not page.records or (self.size is not None and len(page.records) < self.size):
            return None
        return self._step(number + 1)

    def ahead(self, step: Step, page: Page) -> Ahead | None:
        """All numbers up to the last, or on and on where the last is not known."""
        number = self._number(step)
        last = self._last(page)
        if last is not None:
            return Ahead((self._step(n) for n in range(number + 1, last + 1)), known=True)
        if not page.records or (self.size is not None and len(page.records) < self.size):
            return None
        return Ahead((self._step(n) for n in count(number + 1)), known=False)

    def total(self, page: Page) -> int | None:
        """What ``total_records`` says."""
        return number_at(self.total_records, page)

    def _last(self, page: Page) -> int | None:
        pages = number_at(self.total_pages, page)
        if pages is None and self.size is not None:
            records = self.total(page)
            pages = None if records is None else -(-records // self.size)
        return None if pages is None else self.start + pages - 1

    def _step(self, number: int) -> Step:
        sized = {} if self.size is None else {"size": self.size}
        named = {} if self.size_param is None else {"size": self.size_param}
        return Step({"page": number, **sized}, {"page": self.param, **named})

    def _number(self, step: Step) -> int:
        return int(str(step.values["page"]))
