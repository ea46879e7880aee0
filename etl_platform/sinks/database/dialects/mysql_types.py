"""Columns of MariaDB and MySQL: what they hold exactly, and what is refused for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal
from etl_platform.sinks.database.columns import TargetColumn

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sinks.database.dialects.base import Refusal

_TYPE = re.compile(r"(\w+)(?:\((.*?)\))?((?: unsigned)?)(?: zerofill)?(?: |$)", re.DOTALL)
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_MAX_DIGITS = 38
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_BYTES = {"tinytext": 255, "text": 65_535, "mediumtext": 16_777_215,
          "tinyblob": 255, "blob": 65_535, "mediumblob": 16_777_215}  # fmt: skip
_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_LAST_TIMESTAMP_US = 2_147_483_647_999_999
# What Windows-1252 has beyond Latin 1: what MySQL calls latin1 is that.
_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_CHARSETS = {
    "ascii": r"[^\x00-\x7F]",
    "latin1": rf"[^\x00-\x7F\x{{A0}}-\x{{FF}}{_CP1252}]",
    "utf8mb3": r"[\x{10000}-\x{10FFFF}]",
    "utf8": r"[\x{10000}-\x{10FFFF}]",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A column's type taken apart: ``decimal(9,2) unsigned`` has kind decimal and sizes (9, 2)."""

    kind: str
    inside: str
    unsigned: bool
    charset: str | None

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(int(size) for size in re.findall(r"\d+", self.inside))


def parse(declared: str) -> Declared:
    """Take a type apart, with the character set that :func:`target_column` writes behind it."""
    found = _TYPE.match(declared)
    charset = re.search(r" CHARACTER SET (\w+)", declared)
    kind, inside, unsigned = found.groups() if found else (declared, "", "")
    return Declared(kind, inside or "", bool(unsigned), charset[1] if charset else None)


def target_column(
    name: str, declared: str, collation: str | None, *, nullable: bool, default: bool
) -> TargetColumn:
    """A column of the catalog."""
    kind = parse(declared)
    if collation is not None:
        charset = collation.partition("_")[0]
        declared = f"{declared} CHARACTER SET {charset} COLLATE {collation}"
    length = kind.sizes[0] if kind.kind in ("char", "varchar") and kind.sizes else None
    return TargetColumn(name, declared, _wire(kind), nullable, default, max_length=length)


def _wire(declared: Declared) -> pa.DataType | None:
    import pyarrow as pa

    sizes = declared.sizes
    if (bits := _BITS.get(declared.kind)) is not None:
        # Where the next type has no more digits than this one the range is checked besides.
        needed = bits + 1 if declared.unsigned else bits
        kinds = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
        return next((k for size, k in kinds.items() if needed <= size), pa.decimal128(20, 0))
    match declared.kind:
        case "bit":
            return pa.decimal128(20, 0)
        case "year":
            return pa.int16()
        case "decimal":
            precision, scale = sizes
            return pa.decimal128(precision, scale) if precision <= _MAX_DIGITS else None
        case "float":
            return pa.float32()
        case "double":
            return pa.float64()
        case "date":
            return pa.date32()
        case "datetime" | "timestamp":
            return pa.timestamp("us")
        case _:
            return pa.binary() if declared.kind in _BINARY else pa.string()


def refusals(sql: str, lake: pa.DataType, column: TargetColumn) -> list[Refusal]:
    """Values that come back the same from the wire's type and that the server would change."""
    from pyarrow import types as t

    declared = parse(column.declared)
    shown = column.declared.partition(" CHARACTER SET")[0]
    found = _numeric(sql, lake, declared, shown)
    found += _temporal(sql, lake, declared, shown)
    if t.is_string(lake):
        found += _text(sql, declared, shown)
    if t.is_binary(lake) or (t.is_string(lake) and declared.kind in _BINARY):
        found += _binary(f"octet_length(CAST({_bytes(sql, lake)} AS BLOB))", declared, shown)
    return found


def _numeric(sql: str, lake: pa.DataType, declared: Declared, shown: str) -> list[Refusal]:
    from pyarrow import types as t

    number = t.is_integer(lake) or t.is_floating(lake) or t.is_decimal(lake)
    sizes, kind = declared.sizes, declared.kind
    found: list[Refusal] = []
    if t.is_floating(lake):
        found.append(
            ("NaN or infinity, which MariaDB and MySQL cannot hold", f"NOT isfinite({sql})")
        )
    if not number:
        return found
    if kind in _BITS:
        bits = _BITS[kind]
        low, high = (
            (0, 2**bits - 1) if declared.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        found.append((f"outside of {low} to {high}", f"{sql} NOT BETWEEN {low} AND {high}"))
    elif kind == "bit":
        high = 2 ** sizes[0] - 1
        found.append((f"outside of 0 to {high}", f"{sql} NOT BETWEEN 0 AND {high}"))
    elif kind == "year":
        found.append(("no YEAR", f"{sql} NOT BETWEEN 1901 AND 2155 AND {sql} <> 0"))
    elif declared.unsigned:
        found.append(("negative", f"{sql} < 0"))
    if kind == "decimal" and sizes[0] > _MAX_DIGITS:
        whole = sizes[0] - sizes[1]
        found.append((f"not exactly a {shown}", _too_long(sql, lake, whole, sizes[1])))
    if kind in ("float", "double") and len(sizes) == 2:
        found.append((f"not exactly a {shown}", f"round({sql}, {sizes[1]}) <> {sql}"))
    return found


def _too_long(sql: str, lake: pa.DataType, whole: int, scale: int) -> str:
    from pyarrow import types as t

    if t.is_floating(lake):
        return f"{sql} IS NOT NULL"  # a decimal of no type that DuckDB could compare it with
    conditions: list[str] = ["false"]
    digits = lake.precision - lake.scale if t.is_decimal(lake) else 19
    if digits > whole:
        conditions.append(f"abs({sql}) >= CAST('1{'0' * whole}' AS HUGEINT)")
    if t.is_decimal(lake) and lake.scale > scale:
        conditions.append(f"round({sql}, {scale}) <> {sql}")
    return " OR ".join(conditions)


def _temporal(sql: str, lake: pa.DataType, declared: Declared, shown: str) -> list[Refusal]:
    from pyarrow import types as t

    if not t.is_temporal(lake):
        return []
    found = [
        (
            "outside of the years 1 to 9999",
            f"NOT isfinite({sql}) OR year({sql}) NOT BETWEEN 1 AND 9999",
        )
    ]
    if declared.kind == "timestamp":
        early_or_late = f"epoch_us({sql}) NOT BETWEEN 1000000 AND {_LAST_TIMESTAMP_US}"
        found = [
            (
                "outside of 1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC, the range of TIMESTAMP",
                f"NOT isfinite({sql}) OR {early_or_late}",
            )
        ]
    if declared.kind in ("datetime", "timestamp") and t.is_timestamp(lake):
        digits = declared.sizes[0] if declared.sizes else 0
        if digits < 6:
            found.append(
                (
                    f"more than {digits} digits of a second for {shown}",
                    f"isfinite({sql}) AND epoch_us({sql}) % {10 ** (6 - digits)} <> 0",
                )
            )
    return found


def _text(sql: str, declared: Declared, shown: str) -> list[Refusal]:
    found: list[Refusal] = []
    if declared.kind in _BYTES and declared.kind not in _BINARY:
        limit = _BYTES[declared.kind]
        found.append((f"longer than the {limit} bytes of {shown}", f"strlen({sql}) > {limit}"))
    if (pattern := _CHARSETS.get(declared.charset or "")) is not None:
        found.append(
            (
                f"characters that {declared.charset} lacks",
                f"regexp_matches({sql}, {literal(pattern)})",
            )
        )
    match declared.kind:
        case "char":
            found.append(("spaces at the end, which CHAR loses", f"{sql} LIKE '% '"))
        case "enum":
            labels = [label.replace("''", "'") for label in _LABEL.findall(declared.inside)]
            among = ", ".join(literal(label) for label in labels)
            found.append(("none of the ENUM's values", f"{sql} NOT IN ({among})"))
        case "json":
            found.append(("no JSON", f"NOT json_valid({sql})"))
        case "uuid":
            found.append(("no UUID", f"{sql} IS NOT NULL AND TRY_CAST({sql} AS UUID) IS NULL"))
        case "time":
            pattern = r"-?\d{2,3}:\d{2}:\d{2}(\.\d{1,6})?"
            found.append(("no TIME", f"NOT regexp_full_match({sql}, {literal(pattern)})"))
        case _:
            pass
    return found


def _binary(octets: str, declared: Declared, shown: str) -> list[Refusal]:
    if declared.kind == "binary":
        size = declared.sizes[0]
        return [(f"not the {size} bytes of {shown}, to which zeros would be added",
                 f"{octets} <> {size}")]  # fmt: skip
    limit = declared.sizes[0] if declared.kind == "varbinary" else _BYTES.get(declared.kind)
    return [] if limit is None else [(f"longer than {shown}", f"{octets} > {limit}")]


def _bytes(sql: str, lake: pa.DataType) -> str:
    from pyarrow import types as t

    return f"encode({sql})" if t.is_string(lake) else sql


def encode_bytes(sql: str, lake: pa.DataType) -> str:
    """Hexadecimal digits: a text that no character set changes."""
    return f"hex({_bytes(sql, lake)})"
