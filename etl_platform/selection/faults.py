"""Whose fault a failure is: an engine's own leads to the next engine, a source's never does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError

if TYPE_CHECKING:
    from etl_platform.selection.decision import Rejection


class EngineFault(PermanentError):
    """An engine failed where another may succeed: a panic, a value that it cannot decode.

    Engines raise it for what is theirs alone. A lost connection, a missing table or a refused login
    would fail every engine alike and is raised as the source's own error.

    Args:
        engine: the engine's name.
        reason: what happened, without secrets.
    """

    def __init__(self, engine: str, reason: str) -> None:
        self.engine = engine
        self.reason = reason
        super().__init__(
            f"engine {engine!r} failed by its own fault: {reason}",
            fix=f"pin another engine, or remove the pin: engine: {engine}",
        )


class NoEngine(PermanentError):
    """No engine may do a piece of work; names each and why not."""

    def __init__(self, what: str, rejected: Iterable[Rejection], *, fix: str | None = None) -> None:
        self.rejected = tuple(rejected)
        reasons = "; ".join(f"{one.engine}: {one.reason}" for one in self.rejected)
        super().__init__(f"no engine can read {what}", valid=reasons or "none is known", fix=fix)
