"""No pages: one answer is all there is."""

from __future__ import annotations

from typing import Literal

from etl_platform.sources.api.pagination.protocol import SchemeOptions, Step
from etl_platform.sources.api.records.reading import Page


class SinglePage(SchemeOptions):
    """``type: none``."""

    type: Literal["none"] = "none"

    def first(self) -> Step:
        """The only one."""
        return Step()

    def after(self, step: Step, page: Page) -> Step | None:
        """None."""
        del step, page
        return None
