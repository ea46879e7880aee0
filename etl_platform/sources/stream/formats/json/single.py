"""One message at a time, for the few that cannot be parsed with the others: exact, and with words.

Says the same of a message as Arrow's parser does, and why.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from etl_platform.sources.stream.formats.conversion import written_type
from etl_platform.sources.stream.formats.envelope import shortened
from etl_platform.sources.stream.formats.json.screen import DEEPEST

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.stream.formats.columns import Column

_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class Unusable(Exception):  # never leaves the package
    """Why a message is rejected."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class Object(list[tuple[str, Any]]):
    """Names and values as they were written, repeated ones included."""

    def get(self, name: str, where: str) -> Any:
        """The value, None when there is none."""
        found = [value for key, value in self if key == name]
        if len(found) > 1:
            raise Unusable(f"field {where!r} occurs {len(found)} times")
        return found[0] if found else None


def parse(value: bytes) -> Object:
    """The object that a message holds.

    Raises:
        Unusable: it holds no JSON object, or more than one.
    """
    if not value.strip():
        raise Unusable("the message is empty" if not value else "the message is only whitespace")
    if value.startswith(b"\xef\xbb\xbf"):
        raise Unusable("the message begins with a byte order mark, which JSON does not have")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        byte = f"0x{value[error.start]:02x}"
        raise Unusable(f"byte {byte} at position {error.start} is not UTF-8") from error
    if _depth(text) > DEEPEST:
        raise Unusable(f"structures are nested deeper than {DEEPEST}")
    try:
        found, end = _DECODER.raw_decode(text.lstrip(" \t\r\n"))
    except json.JSONDecodeError as error:
        at = f"at character {error.pos}: '{shortened(text[max(error.pos - 10, 0) :][:30])}'"
        raise Unusable(f"not JSON: {error.msg} {at}") from error
    rest = text.lstrip(" \t\r\n")[end:].strip(" \t\r\n")
    if rest.startswith("{"):
        raise Unusable(f"more than one object in a message: the next is '{shortened(rest)}'")
    if rest:
        raise Unusable(f"text after the object: '{shortened(rest)}'")
    if not isinstance(found, Object):
        raise Unusable(f"the message is {_kind(found)}, not an object")
    return found


def written(message: Object, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The values of the declared columns, as ``conversion.written_type`` says.

    Raises:
        Unusable: naming the field whose value has another type.
    """
    return {column.name: _at(message, column) for column in columns}


def _at(message: Any, column: Column) -> Any:
    for depth, name in enumerate(column.path):
        where = ".".join(column.path[: depth + 1])
        if message is None:
            return None
        if not isinstance(message, Object):
            shown = ".".join(column.path[:depth])
            raise Unusable(f"field {shown!r}: {_shown(message)} is {_kind(message)}, not an object")
        message = message.get(name, where)
    return _value(message, column, written_type(column), ".".join(column.path))


def _value(value: Any, column: Column, kind: pa.DataType, name: str) -> Any:
    from pyarrow import types as t

    if value is None:
        return None
    if column.fields:
        if not isinstance(value, Object):
            _wrong(name, value, "an object")
        return {
            one.name: _value(
                value.get(one.name, f"{name}.{one.name}"),
                one,
                written_type(one),
                f"{name}.{one.name}",
            )
            for one in column.fields
        }
    if column.items is not None:
        if not isinstance(value, list) or isinstance(value, Object):
            _wrong(name, value, "a list")
        inner = written_type(column.items)
        return [_value(one, column.items, inner, f"{name}[]") for one in value]
    if t.is_boolean(kind):
        return value if isinstance(value, bool) else _wrong(name, value, "true or false")
    if t.is_string(kind):
        return _text(value, name)
    if t.is_decimal(kind):
        return _decimal(value, kind, name)
    if not isinstance(value, Number):
        _wrong(name, value, f"a number ({kind})")
    return _whole(value, kind, name) if t.is_integer(kind) else _float(value, kind, name)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or isinstance(value, Number):
        _wrong(name, value, "a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unusable(f"field {name!r}: half of a surrogate pair is no character") from error
    return value


def _whole(value: Number, kind: pa.DataType, name: str) -> int:
    if not _WHOLE.fullmatch(value):
        raise Unusable(f"field {name!r}: {shortened(value)} is not written as a whole number")
    # More digits than any width has: never turned into a number, which takes quadratic time.
    bound = 1 << (kind.bit_width - 1)
    if len(value) > 4000 or not -bound <= int(value) < bound:
        raise Unusable(f"field {name!r}: {shortened(value)} does not fit {kind}")
    return int(value)


def _float(value: Number, kind: pa.DataType, name: str) -> float:
    found = float(value)
    # What only float32 cannot hold is told where columns are converted.
    if math.isinf(found):
        raise Unusable(f"field {name!r}: {shortened(value)} is too large for {kind}")
    return found


def _decimal(value: Any, kind: Any, name: str) -> Decimal:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        _wrong(name, value, f"a number ({kind})")
    found = Decimal(value)
    sign, digits, exponent = found.as_tuple()
    del sign
    point = int(exponent)
    # As Arrow does: zeros at the end of the fraction need no place, others do.
    significant = "".join(map(str, digits)).rstrip("0") if point < 0 else "x"
    needed = -point - (len(digits) - len(significant)) if point < 0 else 0
    if found and needed > kind.scale:
        raise Unusable(
            f"field {name!r}: {shortened(value)} has more than {kind.scale} decimal places"
        )
    if found and found.adjusted() >= kind.precision - kind.scale:
        raise Unusable(f"field {name!r}: {shortened(value)} does not fit {kind}")
    return found


def _depth(text: str) -> int:
    if len(text) <= DEEPEST:
        return 0
    deepest = depth = 0
    for found in _BRACKETS.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _wrong(name: str, value: Any, wanted: str) -> NoReturn:
    raise Unusable(f"field {name!r}: {_shown(value)} is {_kind(value)}, not {wanted}")


def _shown(value: Any) -> str:
    if isinstance(value, Object):
        return "{...}"
    if isinstance(value, list):
        return "[...]"
    if isinstance(value, Number):
        return shortened(value)
    return shortened(json.dumps(value, ensure_ascii=False))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, Object) else "a list"


def _no_number(text: str) -> NoReturn:
    raise Unusable(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=Object,
    parse_int=Number,
    parse_float=Number,
    parse_constant=_no_number,
)
