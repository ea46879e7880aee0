"""What makes tables alike for an engine: how many columns of which family, not their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_FAMILY = re.compile(r"[a-z]+")
_FAMILIES = {
    "int": "int",
    "uint": "int",
    "float": "float",
    "double": "float",
    "large": "string",
    "utf": "string",
}


def shape_key(types: Iterable[str | None]) -> str:
    """Count column types by family, widths and precisions left out.

    Args:
        types: Arrow types as text; None for a column whose type is only known to the source.

    >>> shape_key(["int64", "decimal(15, 2)", "int32", "timestamp[us, UTC]", None])
    'decimal:1 int:2 other:1 timestamp:1'
    """
    counts = Counter(_family(text) for text in types)
    return " ".join(f"{family}:{count}" for family, count in sorted(counts.items()))


def _family(text: str | None) -> str:
    found = _FAMILY.match(text) if text else None
    return _FAMILIES.get(found[0], found[0]) if found else "other"
