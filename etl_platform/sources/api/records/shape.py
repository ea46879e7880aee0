"""What kinds of values the records hold: found in parts, joined in any grouping to the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.stream.formats.json.single import Number, Object

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT_IN_DOUBLE = 1 << 53
_WHOLE = re.compile(r"-?[0-9]+")


@dataclass(slots=True)
class Numbers:
    """Numbers as they were written.

    Attributes:
        fractional: one has a point or an exponent.
        in_int64: all whole ones fit 64 bits.
        in_double: a double gives each back exactly as it was written.
        whole: most digits before the point; None where only "at most 15 of all" is known.
        places: most digits behind it, likewise.
    """

    fractional: bool = False
    in_int64: bool = True
    in_double: bool = True
    whole: int | None = 0
    places: int | None = 0

    def join(self, other: Numbers) -> None:
        """Take in other numbers."""
        self.fractional |= other.fractional
        self.in_int64 &= other.in_int64
        self.in_double &= other.in_double
        self.whole = _most(self.whole, other.whole)
        self.places = _most(self.places, other.places)


@dataclass(slots=True)
class Shape:
    """Kinds of values at one place.

    Attributes:
        fields: of objects, in the order in which they first occur; None without objects.
        items: of lists, likewise.
    """

    booleans: bool = False
    texts: bool = False
    numbers: Numbers | None = None
    fields: dict[str, Shape] | None = None
    items: Shape | None = None

    def join(self, other: Shape) -> None:
        """Take in what another part of the records holds."""
        self.booleans |= other.booleans
        self.texts |= other.texts
        if other.numbers is not None:
            self.numbers = self.numbers or Numbers()
            self.numbers.join(other.numbers)
        if other.fields is not None:
            self.fields = {} if self.fields is None else self.fields
            for name, shape in other.fields.items():
                self.fields.setdefault(name, Shape()).join(shape)
        if other.items is not None:
            self.items = self.items or Shape()
            self.items.join(other.items)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the values are, nulls aside."""
        found = {
            "true or false": self.booleans,
            "texts": self.texts,
            "numbers": self.numbers is not None,
            "objects": self.fields is not None,
            "lists": self.items is not None,
        }
        return tuple(name for name, there in found.items() if there)

    def add(self, value: Any, where: str) -> None:
        """Take in one value as ``single.parse`` gives it.

        Raises:
            BadResponse: an object has the same name twice.
        """
        if value is None:
            return
        if isinstance(value, bool):
            self.booleans = True
        elif isinstance(value, Number):
            self.numbers = self.numbers or Numbers()
            self.numbers.join(numbers_of(value))
        elif isinstance(value, str):
            self.texts = True
        elif isinstance(value, Object):
            self._add_object(value, where)
        else:
            self.items = self.items or Shape()
            for one in value:
                self.items.add(one, f"{where}[]")

    def _add_object(self, value: Object, where: str) -> None:
        self.fields = {} if self.fields is None else self.fields
        if len({name for name, _ in value}) < len(value):
            names = [name for name, _ in value]
            twice = next(name for name in names if names.count(name) > 1)
            place = f"{where}.{twice}" if where else twice
            raise BadResponse(
                f"a record has the field {place!r} {names.count(twice)} times",
                fix="tell the API's owner: which of the values counts is not defined",
            )
        for name, one in value:
            self.fields.setdefault(name, Shape()).add(one, f"{where}.{name}" if where else name)


def numbers_of(text: str) -> Numbers:
    """What one number needs."""
    if _WHOLE.fullmatch(text):
        digits = text.lstrip("-").lstrip("0")
        value = int(text) if len(digits) <= 19 else None
        in_int64 = value is not None and -(1 << 63) <= value < 1 << 63
        in_double = value is not None and abs(value) <= _EXACT_IN_DOUBLE
        return Numbers(in_int64=in_int64, in_double=in_double, whole=len(digits))
    exact = Decimal(text)
    point = int(exact.normalize().as_tuple().exponent)
    whole = max(exact.adjusted() + 1, 0) if exact else 0
    places = max(-point, 0) if exact else 0
    in_double = _in_double(text, exact)
    return Numbers(fractional=True, in_double=in_double, whole=whole, places=places)


def _in_double(text: str, exact: Decimal) -> bool:
    number = float(text)
    return number not in (float("inf"), float("-inf")) and Decimal(repr(number)) == exact


def shape_of_arrow(kind: pa.DataType) -> Shape:
    """What Arrow's reader found in values whose numbers have at most 15 digits."""
    from pyarrow import types as t

    if t.is_null(kind):
        return Shape()
    if t.is_boolean(kind):
        return Shape(booleans=True)
    if t.is_int64(kind):
        return Shape(numbers=Numbers(whole=None))
    if t.is_float64(kind):
        return Shape(numbers=Numbers(fractional=True, whole=None, places=None))
    if t.is_struct(kind):
        return Shape(fields={one.name: shape_of_arrow(one.type) for one in kind})
    if t.is_list(kind):
        return Shape(items=shape_of_arrow(kind.value_type))
    # What looks like a date or time is text: what it means is for a declaration to say.
    return Shape(texts=True)


def _most(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
