"""Pages by a token that each answer gives for the next: ``?cursor=eyJpZCI6...``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from etl_platform.sources.api.pagination.protocol import SchemeOptions, Step
from etl_platform.sources.api.pagination.totals import text_at
from etl_platform.sources.api.records.reading import Page


class Cursor(SchemeOptions):
    """``type: cursor``: ends where there is no token, or where ``more`` says so."""

    type: Literal["cursor"] = "cursor"
    next: str = Field(
        description="Where the token is: a JSONPath, or 'header X-Next-Cursor'.",
        examples=["$.next_cursor", "$.meta.next_token"],
    )
    param: str = Field(default="cursor", description="The query's parameter; or write {cursor}.")
    more: str | None = Field(
        default=None, description="Where true or false tells whether there is a next page."
    )

    def first(self) -> Step:
        """Without a token."""
        return self._step(None)

    def after(self, step: Step, page: Page) -> Step | None:
        """With the token of this answer."""
        del step
        if self.more is not None and text_at(self.more, page) in (None, "false"):
            return None
        token = text_at(self.next, page)
        return self._step(token) if token else None

    def _step(self, token: str | None) -> Step:
        return Step({"cursor": token}, {"cursor": self.param})
