"""YAML as people write it: short mappings on one line, comments above what they are about.

A writer of its own, because the comments belong to places and a definition of 200 tables has to be
written within a fraction of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from etl_platform.core.inert import one_line

Yaml: TypeAlias = "str | int | float | bool | Sequence[Yaml] | Mapping[str, Yaml] | None"
At: TypeAlias = tuple[str, ...]
"""Keys from the document's root to a value."""

WIDTH = 100
_BLOCK_DEPTH = 4
_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./()+-]| (?=[A-Za-z0-9_./()+-]))*")
_WORDS = re.compile(r"(?i)(y|n|yes|no|on|off|true|false|null|none|\.inf|\.nan)")


def document(value: Mapping[str, Yaml], notes: Mapping[At, Sequence[str]]) -> str:
    """A whole document. ``notes``: comments by the place that they stand above, ``()`` on top."""
    top = "".join(f"# {one_line(text, 2000)}\n" for text in notes.get((), ()))
    return top + block(value, notes)


def block(
    value: Mapping[str, Yaml], notes: Mapping[At, Sequence[str]], at: At = (), indent: int = 0
) -> str:
    """Lines of a mapping, each with its line break."""
    lines: list[str] = []
    _mapping(value, notes, at, indent, lines)
    return "".join(f"{line}\n" for line in lines)


def items(value: Sequence[Yaml], indent: int) -> str:
    """Lines of a list, each with its line break."""
    lines: list[str] = []
    _list(value, {}, (), indent, lines)
    return "".join(f"{line}\n" for line in lines)


def flow(value: Yaml) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """A value without parts. Text is plain where no reader can take it for anything else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and not _WORDS.fullmatch(value):
        return value
    return (
        '"' + "".join(map(_character, value)).replace("*/", "*\\x2f").replace("/*", "/\\x2a") + '"'
    )


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _mapping(
    value: Mapping[str, Yaml],
    notes: Mapping[At, Sequence[str]],
    at: At,
    indent: int,
    lines: list[str],
) -> None:
    blank = " " * indent
    for key, one in value.items():
        here = (*at, key)
        lines.extend(f"{blank}# {one_line(text)}" for text in notes.get(here, ()))
        head = f"{blank}{scalar(key)}:"
        if isinstance(one, Mapping):
            short = f"{head} {flow(one)}" if not one or _may_be_short(here, notes) else None
            if short is not None and (not one or len(short) <= WIDTH):
                lines.append(short)
            else:
                lines.append(head)
                _mapping(one, notes, here, indent + 2, lines)
        elif isinstance(one, Sequence) and not isinstance(one, str):
            mappings = any(isinstance(part, Mapping) for part in one)
            short = None if mappings else f"{head} {flow(one)}"
            if short is not None and len(short) <= WIDTH:
                lines.append(short)
            else:
                lines.append(head)
                _list(one, notes, here, indent + 2, lines)
        else:
            lines.append(f"{head} {scalar(one)}")


def _list(
    value: Sequence[Yaml],
    notes: Mapping[At, Sequence[str]],
    at: At,
    indent: int,
    lines: list[str],
) -> None:
    blank = " " * indent
    for number, one in enumerate(value):
        lines.extend(f"{blank}# {one_line(text)}" for text in notes.get((*at, str(number)), ()))
        lines.append(f"{blank}- {flow(one)}")


def _may_be_short(at: At, notes: Mapping[At, Sequence[str]]) -> bool:
    if len(at) < _BLOCK_DEPTH:
        return False
    return not any(place[: len(at)] == at and len(place) > len(at) for place in notes)
