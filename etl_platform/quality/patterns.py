"""Regular expressions that mean the same to DuckDB (RE2) and to Polars (Rust's regex).

Both run in linear time. RE2's syntax (https://github.com/google/re2/wiki/Syntax) is the contract's;
it is translated for Polars, where ``\\d`` would match every Unicode digit, ``[`` nests inside a
class, ``&&`` and ``~~`` are set operators and a lone ``{`` is an error.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_OUTSIDE = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "s": r"[\t\n\f\r ]",
    "S": r"[^\t\n\f\r ]",
    "b": r"(?-u:\b)",
}
_INSIDE = {**_OUTSIDE, "d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_REPEAT = re.compile(r"\{[0-9]+(,[0-9]*)?\}")
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")
_PROPERTY = re.compile(r"[pP](\{[^}]*\}|.)")
_HEX = re.compile(r"x(\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})")
_PLAIN_ESCAPES = frozenset("Aafnrtvz")


class PatternError(ValueError):
    """A pattern that RE2 refuses, or that Polars has no equivalent for; the text says why."""


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> None:
    """Check a pattern with the engine that will run it.

    Raises:
        PatternError: with RE2's own words.
    """
    import duckdb

    to_polars(pattern)
    try:
        _engine().cursor().execute("SELECT regexp_full_match('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        why = str(error).removeprefix("Invalid Input Error: ")
        raise PatternError(
            f"{why} (RE2 syntax, without look-around and back references)"
        ) from error


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    from etl_platform.core.duck import sealed

    return sealed()


def to_polars(pattern: str) -> str:
    """Translate an RE2 pattern into one that Polars matches in the same way.

    >>> to_polars(r"\\d{2}[\\w.]")
    '[0-9]{2}[0-9A-Za-z_.]'

    Raises:
        PatternError: for ``\\B``, ``\\C`` and octal escapes, which Polars cannot express.
    """
    out: list[str] = []
    position, in_class = 0, False
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            text, position = _escape(pattern, position, in_class)
        elif in_class:
            text, position, in_class = _class_part(pattern, position)
        elif char == "[":
            text, position = _class_start(pattern, position)
            in_class = True
        elif char in "{}":
            repeat = _REPEAT.match(pattern, position) if char == "{" and position else None
            text = repeat.group() if repeat else "\\" + char
            position += len(repeat.group()) if repeat else 1
        else:
            text, position = char, position + 1
        out.append(text)
    return "".join(out)


def _escape(pattern: str, position: int, in_class: bool) -> tuple[str, int]:
    char = pattern[position + 1 : position + 2]
    if char == "Q":
        end = pattern.find(r"\E", position + 2)
        quoted = pattern[position + 2 : end if end >= 0 else len(pattern)]
        return "".join(map(re.escape, quoted)), end + 2 if end >= 0 else len(pattern)
    classes = _INSIDE if in_class else _OUTSIDE
    if char in classes:
        return classes[char], position + 2
    for long in (_PROPERTY, _HEX):
        match = long.match(pattern, position + 1)
        if match:
            return "\\" + match.group(), match.end()
    if char and not char.isalnum() and char.isascii():
        return "\\" + char, position + 2
    if char in _PLAIN_ESCAPES and char:
        return "\\" + char, position + 2
    raise PatternError(
        f"escape \\{char} has no equivalent in Polars; write a character as \\x{{HEX}}"
    )


def _class_start(pattern: str, position: int) -> tuple[str, int]:
    end = position + 1
    if pattern[end : end + 1] == "^":
        end += 1
    text = pattern[position:end]
    if pattern[end : end + 1] == "]":  # first in a class, it is itself
        return text + r"\]", end + 1
    return text, end


def _class_part(pattern: str, position: int) -> tuple[str, int, bool]:
    char = pattern[position]
    if char == "]":
        return char, position + 1, False
    named = _NAMED_CLASS.match(pattern, position)
    if named:
        return named.group(), named.end(), True
    if pattern.startswith("--", position):
        raise PatternError("'--' in a class means a difference to Polars; escape it: \\-")
    return ("\\" + char if char in "[&~" else char), position + 1, True
