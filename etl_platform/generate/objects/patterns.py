"""What keys of one table have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from etl_platform.core.errors import EtlError
from etl_platform.core.names import to_identifier

_HIVE = re.compile(r"([^=/]+)=([^/]*)")
_EXTENSION = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,8}){1,3}$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?<![A-Za-z0-9])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?![A-Za-z0-9])")
_DIGITS = re.compile(r"\d+(?:[-_.:T]\d+)*Z?")
_REPEATED = re.compile(r"\*(?:[-_.+]*\*)+")
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-/_]?(0[1-9]|1[0-2])[-/_]?(0[1-9]|[12]\d|3[01])(?!\d)")
_GENERIC = frozenset({"part", "data", "file", "chunk", "batch", "export", "dump", "page", "c", "r"})


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """Where an object belongs.

    Attributes:
        folder: with ``*`` for values of hive partitions, numbers, dates and identifiers.
        stem: of the name, likewise; ``extension`` in lower case, with its dot.
        hive: the partitions' names and values.
        written: the extension as the key has it.
    """

    folder: str
    stem: str
    extension: str
    hive: tuple[tuple[str, str], ...]
    written: str = ""

    @property
    def text(self) -> str:
        name = self.stem + self.extension
        return f"{self.folder}/{name}" if self.folder else name


def pattern_of(key: str) -> KeyPattern:
    """The pattern of a key."""
    folder, _, name = key.rpartition("/")
    place, hive = _folder(folder)
    ending = _EXTENSION.search(name)
    cut = ending.start() if ending and ending.start() else len(name)
    return KeyPattern(place, _masked(name[:cut]), name[cut:].lower(), hive, name[cut:])


@lru_cache(maxsize=4096)
def _folder(folder: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    parts: list[str] = []
    hive: list[tuple[str, str]] = []
    for part in folder.split("/") if folder else ():
        found = _HIVE.fullmatch(part)
        if found:
            hive.append((found[1], found[2]))
            parts.append(f"{found[1]}=*")
        else:
            # Digits tell folders of tables apart (shop1, shop2) unless there is nothing else.
            whole = _masked(part) == "*"
            parts.append("*" if whole else _DATE.sub("*", part))
    return "/".join(parts), tuple(hive)


def _masked(text: str) -> str:
    for expression in (_UUID, _HEX, _DIGITS):
        text = expression.sub("*", text)
    return _REPEATED.sub("*", text)


def date_of(key: str) -> str | None:
    """The last day that a key names, as ISO 8601 text."""
    found = _DATE.findall(key)
    return "-".join(found[-1]) if found else None


def table_name(pattern: KeyPattern, root: str = "") -> str:
    """What a table could be called: after its files, or their folder where those say nothing.

    Args:
        root: what all keys are below, used when they name nothing themselves.
    """
    words = [w for w in re.split(r"[^A-Za-z]+", pattern.stem) if w]
    folders = [p for p in f"{root}/{pattern.folder}".split("/") if p and "=" not in p and p != "*"]
    candidates = [pattern.stem.replace("*", " ").strip(" -_.")] if words else []
    if not words or all(len(w) == 1 or w.lower() in _GENERIC for w in words):
        candidates = [one.replace("*", " ").strip(" -_.") for one in reversed(folders)] + candidates
    for candidate in candidates:
        try:
            return to_identifier(candidate)
        except EtlError:
            continue
    return "data"
