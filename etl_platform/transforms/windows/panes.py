"""Stretches of event time as SQL over microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from etl_platform.core.duck import quote
from etl_platform.transforms.windows.spec import WindowSpec

PANE = "_pane"
BATCH = "_batch"
AFTER = "_after"
ID, TIME, COUNTS = "_id", "_time", "_counts"
FIRST, LAST = "_first", "_last"
ROWS = "_rows"


def floor_to(moment: str, step_us: int) -> str:
    """The last multiple of a step up to a moment, before 1970 as well."""
    rest = f"(({moment}) % {step_us} + {step_us}) % {step_us}"
    return f"(({moment}) - {rest})"


@dataclass(frozen=True, slots=True)
class WindowEnds:
    """The ends of the windows that hold a pane; a session's stretch is a window of its own here.

    ``lowest`` and ``highest`` are SQL over the column ``_pane``.
    """

    spec: WindowSpec

    @property
    def lowest(self) -> str:
        every, size = self.spec.every_us, self.spec.size_us
        return f"({floor_to(f'{PANE} + {self.spec.pane_us - size + every - 1}', every)} + {size})"

    @property
    def highest(self) -> str:
        return f"({floor_to(PANE, self.spec.every_us)} + {self.spec.size_us})"

    def next_after(self, moment: str) -> str:
        """The first end that lies after a moment."""
        every, size = self.spec.every_us, self.spec.size_us
        return f"({floor_to(f'{moment} - {size}', every)} + {every + size})"


def marks(before_us: Mapping[int, int | None]) -> str:
    """The watermark before each batch as a relation ``(_batch, _before)``."""
    if not before_us:
        return f"(SELECT 0::BIGINT AS {BATCH}, 0::BIGINT AS _before WHERE false)"
    rows = ", ".join(
        f"({number}::BIGINT, {'NULL' if moment is None else moment}::BIGINT)"
        for number, moment in sorted(before_us.items())
    )
    return f"(SELECT * FROM (VALUES {rows}) AS marks({BATCH}, _before))"


def columns(names: Iterable[str]) -> str:
    """Names quoted, each followed by a comma."""
    return "".join(f"{quote(name)}, " for name in names)
