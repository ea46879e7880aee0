"""Expressions as they are shown in messages."""

from __future__ import annotations

_LONGEST = 80


def shown(text: str) -> str:
    """On one line, quoted, and cut when it is long."""
    line = " ".join(text.split())
    return repr(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}...")
