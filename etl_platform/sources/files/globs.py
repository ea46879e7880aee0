"""Which keys a pattern means.

``*`` is any text within a name, ``**`` any folders or none, ``?`` one character, ``[abc]`` one of
them, ``{csv,txt}`` one of the words. Names that begin with a dot or an underscore are left out, as
writers of many files use them for their own notes, unless the pattern's last part begins so too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from etl_platform.core.errors import ConfigError

_SPECIAL = re.compile(r"[*?\[{]")
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|\{[^{}]*\}|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of keys.

    Attributes:
        prefix: what every key that it means begins with.
        matches: whether it means a key.
    """

    pattern: str
    prefix: str
    matches: Callable[[str], bool]


def glob(pattern: str) -> Glob:
    """Read a pattern.

    >>> [key for key in ("a/1.csv", "a/b/2.csv", "a/_3.csv") if glob("a/*.csv").matches(key)]
    ['a/1.csv']

    Raises:
        ConfigError: it is empty, begins with a slash or leads out of the folder.
    """
    parts = pattern.split("/")
    if not pattern or any(part in {"", ".", ".."} for part in parts):
        raise ConfigError(
            f"{pattern!r} is no pattern of keys", valid="as planes/*.csv or **/*.parquet"
        )
    special = _SPECIAL.search(pattern)
    prefix = pattern if special is None else pattern[: special.start()]
    expression = re.compile("".join(map(_regex, _TOKEN.findall(pattern))), re.DOTALL).fullmatch
    hidden = parts[-1].startswith((".", "_"))

    def matches(key: str) -> bool:
        if expression(key) is None:
            return False
        return hidden or key[key.rfind("/") + 1] not in "._"

    return Glob(pattern, prefix, matches)


def _regex(token: str) -> str:
    match token:
        case "**/":
            return "(?:[^/]*/)*"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if token[0] == "[" and len(token) > 2:
            inside = token[1:-1]
            negated = inside.startswith("!")
            characters = re.escape(inside[negated:]).replace(r"\-", "-")
            return f"[{'^/' if negated else ''}{characters}]"
        case _ if token[0] == "{" and len(token) > 1:
            return f"(?:{'|'.join(map(_within, token[1:-1].split(',')))})"
        case _:
            return re.escape(token)


def _within(word: str) -> str:
    return "".join(map(_regex, _TOKEN.findall(word)))
