"""Numbers and values as people read them in a report."""

from __future__ import annotations

from etl_platform.quality.values import JsonValue, shortened

_CHARACTERS = 40
_GROUPED = 10_000
"""Smaller ones may be years."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


def shown(value: JsonValue) -> str:
    """A value on one line: long numbers grouped, fractions with six digits, midnight left off."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= _GROUPED else str(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = value.removesuffix("T00:00:00").removesuffix("T00:00:00+00:00")
    return shortened(" ".join(text.split()), _CHARACTERS) or "(blank)"


def percent(share: float) -> str:
    """A share with one digit; what is neither nothing nor everything never looks like it."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{share:.1%}".replace("%", " %")


def size(size_bytes: int) -> str:
    """Bytes in powers of 1000."""
    amount, place = float(size_bytes), 0
    while amount >= 1000 and place < len(_UNITS) - 1:
        amount, place = amount / 1000, place + 1
    return f"{amount:.1f} {_UNITS[place]}" if place else f"{amount:.0f} B"
