"""Pages by the last record's key: ``?after_id=1042``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.api.pagination.protocol import SchemeOptions, Step
from etl_platform.sources.api.records.document import Document
from etl_platform.sources.api.records.reading import Page


class Keyset(SchemeOptions):
    """``type: keyset``: ends with an empty page, or with a short one where ``limit`` is declared.

    A server whose bound is inclusive gives the last record again: declare ``primary_key``.
    """

    type: Literal["keyset"] = "keyset"
    field: str = Field(description="The records' field by which they are ordered (a JSONPath).")
    param: str = Field(description="The query's parameter that takes its value; or {after}.")
    limit: int | None = Field(default=None, ge=1, description="Records to ask for at a time.")
    limit_param: str = Field(default="limit", description="Its parameter; or write {limit}.")

    def first(self) -> Step:
        """Without a key."""
        return self._step(None)

    def after(self, step: Step, page: Page) -> Step | None:
        """After the last record of this page.

        Raises:
            BadResponse: it has no such field.
        """
        # The first page tells nothing: a server may give fewer records than it is asked for.
        shortest = 0 if self.limit is None or step.full is None else min(self.limit, step.full)
        if not page.records or len(page.records) < shortest:
            return None
        key = Document(page.records[-1], page.response.url).scalar(self.field)
        if key is None:
            raise BadResponse(
                f"{page.response.url}: the last record has no {self.field} to go on after",
                fix="declare the field by which the API orders its records",
            )
        if key == step.values["after"] and len(page.records) == 1:
            return None  # an inclusive bound, and nothing behind it
        return self._step(key, step.full or len(page.records))

    def _step(self, key: str | None, full: int | None = None) -> Step:
        limited = {} if self.limit is None else {"limit": self.limit}
        params = {"after": self.param, "limit": self.limit_param}
        return Step({"after": key, **limited}, params, full=full)
