"""Pages by how many records come before them: ``?offset=200&limit=100``."""

from __future__ import annotations

from itertools import count
from typing import Literal

from pydantic import Field

from etl_platform.sources.api.pagination.protocol import Ahead, SchemeOptions, Step
from etl_platform.sources.api.pagination.totals import number_at
from etl_platform.sources.api.records.reading import Page


class Offset(SchemeOptions):
    """``type: offset``: ends by the number of records, or with an empty or short page.

    Offsets go on by the records that arrived: a server that gives fewer than asked for loses none.
    Pages are fetched at the same time only where ``limit`` is declared and the first page was full.
    """

    type: Literal["offset"] = "offset"
    param: str = Field(default="offset", description="The query's parameter; or write {offset}.")
    start: int = Field(default=0, description="The first record's offset.")
    limit: int | None = Field(default=None, ge=1, description="Records to ask for at a time.")
    limit_param: str = Field(default="limit", description="Its parameter; or write {limit}.")
    total_records: str | None = Field(
        default=None,
        description="Where the number of all records is: a JSONPath, or 'header X-Total-Count'.",
    )

    def first(self) -> Step:
        """The records from ``start``."""
        return self._step(self.start)

    def after(self, step: Step, page: Page) -> Step | None:
        """The records behind these."""
        if not page.records:
            return None
        # More than was asked for are some of the page before: those count nothing.
        new = len(page.records) if self.limit is None else min(len(page.records), self.limit)
        behind, full = int(str(step.values["offset"])) + new, step.full
        total = self.total(page)
        if total is not None:
            return self._step(behind, full) if behind - self.start < total else None
        # The first page tells nothing: a server may give fewer records than it is asked for.
        shortest = 0 if self.limit is None or full is None else min(self.limit, full)
        if len(page.records) < shortest:
            return None
        return self._step(behind, full or len(page.records), beyond=True)

    def ahead(self, step: Step, page: Page) -> Ahead | None:
        """Every ``limit`` records, up to the last or on and on."""
        size = len(page.records)
        behind = int(str(step.values["offset"])) + size
        if self.limit is None or size != self.limit:
            return None
        total = self.total(page)
        if total is not None:
            offsets = range(behind, self.start + total, size)
            return Ahead((self._step(n, size) for n in offsets), known=True)
        steps = (self._step(n, size, beyond=True) for n in count(behind, size))
        return Ahead(steps, known=False)

    def total(self, page: Page) -> int | None:
        """What ``total_records`` says."""
        return number_at(self.total_records, page)

    def _step(self, offset: int, full: int | None = None, *, beyond: bool = False) -> Step:
        limited = {} if self.limit is None else {"limit": self.limit}
        params = {"offset": self.param, "limit": self.limit_param}
        return Step({"offset": offset, **limited}, params, full=full, beyond=beyond)
