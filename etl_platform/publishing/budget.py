"""Metadata that stays within the budget of one event.

Every event is a row in Dagster's event log, read whole by each page that lists it: 24 KiB is the
platform's budget for one. What does not fit is shortened, the least telling entry first, and the
event says what was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg

EVENT_BUDGET_BYTES = 24 * 1024
# The envelope of an event: run, step, asset key, tags with the versions of every input.
_RESERVED_BYTES = 4 * 1024
LEFT_OUT = "left_out"

Shorten = Callable[[int], "dg.MetadataValue | None"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One metadata entry.

    ``shorten`` gives a form of at most so many bytes, or None when there is none; without it the
    entry is kept whole, which suits numbers and names.
    """

    value: dg.MetadataValue
    shorten: Shorten | None = None


def size_bytes(value: dg.MetadataValue) -> int:
    """Bytes that a value takes in the event log."""
    return len(dg.serialize_value(cast("Any", value)).encode())


def fit(
    entries: Mapping[str, Entry], budget_bytes: int = EVENT_BUDGET_BYTES - _RESERVED_BYTES
) -> dict[str, dg.MetadataValue]:
    """Return the entries, shortened from the last one upward until they fit.

    Args:
        entries: in order of importance; the last is shortened first.
        budget_bytes: what all entries together may take.
    """
    sizes = {name: len(name) + 16 + size_bytes(entry.value) for name, entry in entries.items()}
    values = {name: entry.value for name, entry in entries.items()}
    excess = sum(sizes.values()) - budget_bytes
    if excess <= 0:
        return values
    shortened: list[str] = []
    excess += 512  # for saying what was left out
    for name in reversed(list(entries)):
        shorten = entries[name].shorten
        if excess <= 0:
            break
        if shorten is None:
            continue
        target = max(sizes[name] - excess, 0)
        shorter = shorten(target)
        if shorter is not None and size_bytes(shorter) > target:
            shorter = None
        new_size = 0 if shorter is None else len(name) + 16 + size_bytes(shorter)
        excess -= sizes[name] - new_size
        shortened.append(name)
        if shorter is None:
            del values[name]
        else:
            values[name] = shorter
    shown = ", ".join(reversed(shortened))
    values[LEFT_OUT] = dg.MetadataValue.text(f"shortened to fit an event of 24 KiB: {shown}")
    return values


def shorten_text(text: str, make: Callable[[str], dg.MetadataValue]) -> Shorten:
    """Cut a text at a line's end."""

    def shorten(limit: int) -> dg.MetadataValue | None:
        room = limit - size_bytes(make("")) - 8
        while room > 64:
            cut = text.encode()[:room].decode(errors="ignore")
            cut = cut.rpartition("\n")[0] or cut
            value = make(cut + "\n…")
            if size_bytes(value) <= limit:
                return value
            room = room * 9 // 10
        return None

    return shorten


def shorten_items(count: int, make: Callable[[int], dg.MetadataValue]) -> Shorten:
    """Keep as many leading items (columns, rows) as fit; ``make(n)`` is the value of ``n``."""

    def shorten(limit: int) -> dg.MetadataValue | None:
        low, high = 0, count
        while low < high:
            middle = (low + high + 1) // 2
            if size_bytes(make(middle)) <= limit:
                low = middle
            else:
                high = middle - 1
        return make(low) if low else None

    return shorten
