"""The shapes of texts: which character classes follow each other."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

_VERBATIM = 4
_MOST_CHARACTERS = 40
_LOOKED_AT = 200

_PLACEHOLDERS = frozenset(
    {"", "-", "--", ".", "?", "n/a", "na", "n.a.", "nan", "nil", "none", "null", "(null)", "#n/a"}
    | {"unknown", "undefined", "tbd", "missing", "xxx"}
)


def shape(text: str) -> str:
    """``A`` for capitals, ``a`` for other letters, ``9`` for digits, anything else as it is.

    Runs longer than four are written with a plus: ``AB-1234`` is ``AA-9999``, ``Hello`` is
    ``Aaaaa`` and ``internal`` is ``a+``. At most 40 characters.
    """
    parts: list[str] = []
    for kind, run in groupby(map(_class, text[:_LOOKED_AT])):
        length = sum(1 for _ in run)
        parts.append(kind * length if length <= _VERBATIM else kind + "+")
    found = "".join(parts)
    return found if len(found) <= _MOST_CHARACTERS else found[: _MOST_CHARACTERS - 1] + "…"


def _class(character: str) -> str:
    if character.isnumeric():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return " " if character.isspace() else character


def count_shapes(texts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Rows by shape, of values with their rows."""
    found: dict[str, int] = {}
    for text, rows in texts:
        form = shape(text)
        found[form] = found.get(form, 0) + rows
    return found


def is_untidy(text: str) -> bool:
    """Whether a text only stands in for a value, or has blanks around it."""
    return text.strip() != text or text.lower() in _PLACEHOLDERS
