"""Why an aggregation is not answered from a rollup."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """How far matching came: of several rollups the one that came furthest is the nearest."""

    STATEMENT = 0
    TABLES = 1
    ROWS = 2
    KEYS = 3
    MEASURES = 4
    TYPES = 5
    VERSIONS = 6


class NotUsable(Exception):
    """A rollup cannot answer, and the reason in words for whoever asked."""

    def __init__(self, reason: str, stage: Stage = Stage.STATEMENT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stage = stage
