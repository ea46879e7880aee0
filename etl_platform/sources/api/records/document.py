"""An answer in JSON, looked into without parsing what nobody asks for, numbers as written."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.api.records.paths import Path, path

if TYPE_CHECKING:
    import msgspec

_OPENS = frozenset(b"{[")


class Written(float):
    """A number that compares as one, and is written again as it was."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Written:
        found = super().__new__(cls, text)
        found.text = text
        return found

    text: str


class Document:
    """The body of one answer.

    Args:
        body: UTF-8, as it arrived.
        where: what errors call it: method and URL, without credentials.

    Raises:
        BadResponse: it is not JSON.
    """

    def __init__(self, body: bytes, where: str) -> None:
        import msgspec

        self.where = where
        try:
            body.decode()
            self._root = msgspec.json.decode(body, type=msgspec.Raw)
        except UnicodeDecodeError as error:
            raise BadResponse(
                f"{where}: byte 0x{body[error.start]:02x} at position {error.start} is not UTF-8"
            ) from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise _no_json(body, where, error) from error

    def raw(self, names: tuple[str, ...]) -> msgspec.Raw | None:
        """The text at a chain of names; None where there is nothing."""
        at = self._root
        for name in names:
            found = fields(at) if kind(at) == "{" else None
            if found is None or name not in found:
                return None
            at = found[name]
        return at

    def scalar(self, where: str) -> str | None:
        """A text as it is, a number or boolean as written; None for null, nothing, structures."""
        at = path(where)
        raw = self.raw(at.names) if at.names is not None else None
        if at.names is None:
            found = self.matches(at)
            return None if not found else scalar_text(written(found[0]))
        return None if raw is None else scalar_text(bytes(raw))

    def whole(self, where: str) -> int | None:
        """A whole number, or a text of one; None where there is none."""
        text = self.scalar(where)
        return int(text) if text is not None and text.lstrip("-").isdigit() else None

    def matches(self, at: Path) -> list[Any]:
        """Everything that a path finds."""
        return [match.obj for match in at.compiled.finditer(self.parsed)]

    @cached_property
    def parsed(self) -> Any:
        """The whole document; numbers with a fraction are :class:`Written`."""
        return json.loads(bytes(self._root), parse_float=Written)

    def is_list(self) -> bool:
        """Whether the answer is a list."""
        return kind(self._root) == "["

    def top(self) -> dict[str, msgspec.Raw]:
        """Names and texts at the top; none where the answer is no object."""
        return fields(self._root) if kind(self._root) == "{" else {}


def kind(raw: msgspec.Raw) -> str:
    """The first character of a value, which tells what it is."""
    return chr(memoryview(raw)[0])


def fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Names and texts of an object."""
    import msgspec

    return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])


def items(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The texts of a list's items."""
    import msgspec

    return msgspec.json.decode(raw, type=list[msgspec.Raw])


def scalar_text(text: bytes) -> str | None:
    """A text without its quotes, a number or boolean as it is; None for the rest."""
    if text == b"null" or text[0] in _OPENS:
        return None
    return json.loads(text) if text[:1] == b'"' else text.decode()


def written(value: Any) -> bytes:
    """JSON of a value that :attr:`Document.parsed` holds, its numbers as they were."""
    return _text(value).encode()


def _text(value: Any) -> str:
    if isinstance(value, Written):
        return value.text
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        inner = (f"{json.dumps(k, ensure_ascii=False)}:{_text(v)}" for k, v in found.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(one) for one in cast("list[Any]", value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _no_json(body: bytes, where: str, error: Exception) -> BadResponse:
    shown = body[:60].decode(errors="replace")
    if isinstance(error, RecursionError):
        return BadResponse(f"{where}: the answer is nested too deep to be read")
    if body.lstrip()[:1] == b"<":
        return BadResponse(
            f"{where}: HTML or XML where JSON was promised: {shown!r}",
            fix="open the address in a browser: a login page or a proxy's notice is the usual "
            "reason",
        )
    if not body.strip():
        return BadResponse(f"{where}: an empty answer where JSON was promised")
    return BadResponse(f"{where}: {len(body)} bytes that are not JSON ({error}): {shown!r}")
