"""Where something is in a JSON document: JSONPath (RFC 9535)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonpath import JSONPath


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path.

    Attributes:
        names: where the path is a plain chain of names, those; None where it is more (filters,
            wildcards within, slices). Plain ones are followed without parsing the document.
        each: the plain chain ends in ``[*]``.
    """

    text: str
    compiled: JSONPath
    names: tuple[str, ...] | None
    each: bool = False


def checked_path(text: str) -> str:
    """The text, if it is a JSONPath.

    Raises:
        ValueError: it is not.
    """
    path(text)
    return text


@lru_cache(maxsize=512)
def path(text: str) -> Path:
    """Compile a path; ``data.items`` is short for ``$.data.items``.

    Raises:
        ValueError: the text is no JSONPath.
    """
    import jsonpath

    whole = text if text.startswith("$") else f"$.{text}"
    try:
        compiled = jsonpath.compile(whole)
    except jsonpath.JSONPathError as error:
        raise ValueError(f"{text!r} is no JSONPath: {error}") from error
    if not isinstance(compiled, jsonpath.JSONPath):
        raise ValueError(f"{text!r} joins several paths: only one is taken")
    names, each = _plain(compiled)
    return Path(text, compiled, names, each)


def _plain(compiled: JSONPath) -> tuple[tuple[str, ...] | None, bool]:
    from jsonpath.segments import JSONPathChildSegment
    from jsonpath.selectors import NameSelector, WildcardSelector

    names: list[str] = []
    last = len(compiled.segments) - 1
    for at, segment in enumerate(compiled.segments):
        if not isinstance(segment, JSONPathChildSegment) or len(segment.selectors) != 1:
            return None, False
        selector = segment.selectors[0]
        if isinstance(selector, WildcardSelector) and at == last:
            return tuple(names), True
        if not isinstance(selector, NameSelector):
            return None, False
        names.append(selector.name)
    return tuple(names), False
