"""Pages of GraphQL connections: ``pageInfo { hasNextPage endCursor }`` (Relay's specification)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.api.pagination.protocol import SchemeOptions, Step
from etl_platform.sources.api.pagination.totals import text_at
from etl_platform.sources.api.records.reading import Page


class Connection(SchemeOptions):
    """``type: connection``: ends where ``hasNextPage`` is false."""

    type: Literal["connection"] = "connection"
    path: str = Field(
        description="Where the connection is; its pageInfo is below.", examples=["$.data.orders"]
    )
    param: str = Field(
        default="after", description="The query's parameter, where no {cursor} is in the body."
    )

    def first(self) -> Step:
        """With a cursor of null."""
        return self._step(None)

    def after(self, step: Step, page: Page) -> Step | None:
        """After ``endCursor``.

        Raises:
            BadResponse: there is no ``pageInfo``, or a next page and no cursor.
        """
        del step
        more = text_at(f"{self.path}.pageInfo.hasNextPage", page)
        if more == "false":
            return None
        cursor = text_at(f"{self.path}.pageInfo.endCursor", page)
        if more is None or cursor is None:
            raise BadResponse(
                f"{page.response.url}: {self.path}.pageInfo has "
                + ("no hasNextPage" if more is None else "a next page and no endCursor"),
                fix="ask for pageInfo { hasNextPage endCursor } in the query",
            )
        return self._step(cursor)

    def _step(self, cursor: str | None) -> Step:
        return Step({"cursor": cursor}, {"cursor": self.param})
