"""How far the results of a window have come, as their commit tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

REACHED = "window:reached"
"""Annotation of the results."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What results were computed from.

    Attributes:
        stream: the table that the window is over.
        through: the last batch with none missing before it; -1 where there is none.
        watermark: after that batch; None before the first event.
    """

    stream: str
    through: int
    watermark: datetime | None

    def to_json(self) -> str:
        """As the commit keeps it."""
        moment = None if self.watermark is None else self.watermark.isoformat()
        return json.dumps({"stream": self.stream, "through": self.through, "watermark": moment})

    @classmethod
    def from_json(cls, text: str) -> Reached:
        """What :meth:`to_json` wrote."""
        said = json.loads(text)
        moment = said["watermark"]
        watermark = None if moment is None else datetime.fromisoformat(moment)
        return cls(said["stream"], said["through"], watermark)
