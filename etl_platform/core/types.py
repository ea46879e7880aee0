"""Types of the lake, and the one place where other type systems are mapped onto them.

The lake keeps what Delta can store without loss: boolean, signed integers of 8 to 64 bits,
float32/64, decimal up to 38 digits, UTF-8 strings, binary, dates, timestamps in microseconds with
and without time zone (UTC), and structs, lists and maps of these. A narrower foreign type is
widened; a type that has no lossless place is refused with :class:`UnsupportedType`, never degraded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypeIs

from etl_platform.core.errors import UnsupportedType

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_LAKE = (
    "bool, int8-int64, float, double, decimal(<=38), string, binary, date, timestamp[us], "
    "list, struct, map"
)


def lake_schema(schema: pa.Schema) -> pa.Schema:
    """The schema that the lake keeps for data of this Arrow schema; every column nullable.

    Raises:
        UnsupportedType: naming the first column that has no lossless place.
    """
    import pyarrow as pa

    return pa.schema([pa.field(f.name, lake_type(f.type, f.name)) for f in schema])


def lake_type(arrow_type: pa.DataType, column: str) -> pa.DataType:
    """The lake's type for an Arrow type.

    Unsigned integers widen to the next signed one (uint64 to decimal(20, 0)), float16 to float32,
    timestamps of coarser or finer unit become microseconds (values that do not fit are refused when
    data arrives), any zone becomes UTC (the instant stays), dictionaries become their values.

    Raises:
        UnsupportedType: for time, duration, interval, null, union and wider decimals.
    """
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_dictionary(arrow_type):
        return lake_type(arrow_type.value_type, column)
    if isinstance(arrow_type, pa.BaseExtensionType):
        if arrow_type.extension_name == "arrow.json":
            return pa.string()
        raise _unsupported(column, str(arrow_type), "cast the column to text or binary")
    if t.is_boolean(arrow_type) or t.is_signed_integer(arrow_type):
        return arrow_type
    if t.is_uint8(arrow_type):
        return pa.int16()
    if t.is_uint16(arrow_type):
        return pa.int32()
    if t.is_uint32(arrow_type):
        return pa.int64()
    if t.is_uint64(arrow_type):
        return pa.decimal128(20, 0)
    if t.is_floating(arrow_type):
        return pa.float64() if t.is_float64(arrow_type) else pa.float32()
    if t.is_decimal(arrow_type):
        if arrow_type.precision > 38:
            raise _unsupported(column, str(arrow_type), "cast it to at most 38 digits, or to text")
        return pa.decimal128(arrow_type.precision, arrow_type.scale)
    if t.is_string(arrow_type) or t.is_large_string(arrow_type) or t.is_string_view(arrow_type):
        return pa.string()
    if (
        t.is_binary(arrow_type)
        or t.is_large_binary(arrow_type)
        or t.is_binary_view(arrow_type)
        or t.is_fixed_size_binary(arrow_type)
    ):
        return pa.binary()
    if t.is_date(arrow_type):
        return pa.date32()
    if t.is_timestamp(arrow_type):
        return pa.timestamp("us", "UTC") if arrow_type.tz else pa.timestamp("us")
    if t.is_struct(arrow_type):
        return pa.struct(
            [pa.field(f.name, lake_type(f.type, f"{column}.{f.name}")) for f in arrow_type]
        )
    if t.is_map(arrow_type):
        return pa.map_(
            lake_type(arrow_type.key_type, f"{column}.key"),
            lake_type(arrow_type.item_type, f"{column}.value"),
        )
    if is_list_like(arrow_type):
        return pa.list_(pa.field("element", lake_type(arrow_type.value_type, f"{column}[]")))
    raise _unsupported(column, str(arrow_type), _advice(str(arrow_type)))


def lake_type_of_duckdb(duck_type: DuckDBPyType, column: str) -> pa.DataType:
    """The lake's type for a DuckDB type; HUGEINT becomes decimal(38, 0), UUID, JSON and ENUM text.

    Raises:
        UnsupportedType: for TIME, INTERVAL, BIT, BIGNUM, UNION and the type of a bare NULL.
    """
    import pyarrow as pa

    if duck_type.id == "timestamp_ns" and not column.isidentifier() and set(column) & set(".[]"):
        raise _unsupported(column, str(duck_type), "cast it to TIMESTAMP in the query")
    scalar = _DUCKDB_SCALARS.get(duck_type.id)
    if scalar is not None:
        return _arrow(scalar)
    children: dict[str, Any] = dict(duck_type.children) if duck_type.id in _DUCKDB_NESTED else {}
    if duck_type.id == "decimal":
        return pa.decimal128(children["precision"], children["scale"])
    if duck_type.id == "enum":
        return pa.string()
    if duck_type.id in ("list", "array"):
        return pa.list_(pa.field("element", lake_type_of_duckdb(children["child"], f"{column}[]")))
    if duck_type.id == "struct":
        return pa.struct(
            [pa.field(n, lake_type_of_duckdb(t, f"{column}.{n}")) for n, t in children.items()]
        )
    if duck_type.id == "map":
        return pa.map_(
            lake_type_of_duckdb(children["key"], f"{column}.key"),
            lake_type_of_duckdb(children["value"], f"{column}.value"),
        )
    raise _unsupported(column, str(duck_type), _advice(duck_type.id))


_DUCKDB_NESTED = frozenset({"decimal", "enum", "list", "array", "struct", "map"})
_DUCKDB_SCALARS = {
    "boolean": "bool_",
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "utinyint": "int16",
    "usmallint": "int32",
    "uinteger": "int64",
    "ubigint": "decimal20",
    "hugeint": "decimal38",
    "uhugeint": "decimal38",
    "float": "float32",
    "double": "float64",
    "varchar": "string",
    "uuid": "string",
    "blob": "binary",
    "date": "date32",
    "timestamp": "timestamp",
    "timestamp_s": "timestamp",
    "timestamp_ms": "timestamp",
    "timestamp_ns": "timestamp",
    "timestamp with time zone": "timestamptz",
}


def _arrow(name: str) -> pa.DataType:
    # Kept as text in the table above so that Arrow loads late.
    import pyarrow as pa

    special = {
        "decimal20": lambda: pa.decimal128(20, 0),
        "decimal38": lambda: pa.decimal128(38, 0),
        "timestamp": lambda: pa.timestamp("us"),
        "timestamptz": lambda: pa.timestamp("us", "UTC"),
    }
    return special[name]() if name in special else getattr(pa, name)()


def duckdb_type(lake: pa.DataType) -> str:
    """The DuckDB type text of a lake type, for casts and for reading files."""
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_decimal(lake):
        return f"DECIMAL({lake.precision},{lake.scale})"
    if t.is_timestamp(lake):
        return "TIMESTAMP WITH TIME ZONE" if lake.tz else "TIMESTAMP"
    if t.is_struct(lake):
        fields = ", ".join(f"{_quoted(f.name)} {duckdb_type(f.type)}" for f in lake)
        return f"STRUCT({fields})"
    if t.is_map(lake):
        return f"MAP({duckdb_type(lake.key_type)}, {duckdb_type(lake.item_type)})"
    if t.is_list(lake):
        return f"{duckdb_type(lake.value_type)}[]"
    names: dict[pa.DataType, str] = {
        pa.bool_(): "BOOLEAN",
        pa.int8(): "TINYINT",
        pa.int16(): "SMALLINT",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
        pa.string(): "VARCHAR",
        pa.binary(): "BLOB",
        pa.date32(): "DATE",
    }
    return names[lake]


def is_list_like(
    kind: pa.DataType,
) -> TypeIs[pa.ListType[Any] | pa.LargeListType[Any] | pa.FixedSizeListType[Any, Any]]:
    """Whether a type is any of Arrow's lists."""
    from pyarrow import types as t

    return t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)


_WIDER = {
    "int8": ("int16", "int32", "int64"),
    "int16": ("int32", "int64"),
    "int32": ("int64", "double"),
    "float": ("double",),
    "date32[day]": ("timestamp[us]",),
}


def widens_to(narrow: pa.DataType, wide: pa.DataType) -> bool:
    """Whether every value of ``narrow`` is a value of ``wide`` (the widenings that Delta names)."""
    from pyarrow import types as t

    if str(wide) in _WIDER.get(str(narrow), ()):
        return True
    if t.is_decimal(narrow) and t.is_decimal(wide):
        return (
            wide.scale >= narrow.scale
            and wide.precision - wide.scale >= narrow.precision - narrow.scale
        )
    if t.is_signed_integer(narrow) and t.is_decimal(wide):
        digits = {8: 3, 16: 5, 32: 10, 64: 19}[narrow.bit_width]
        return wide.precision - wide.scale >= digits
    return False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _advice(kind: str) -> str:
    if kind in ("null", '"null"', "NULL", '"NULL"'):
        return "give the column a type: cast it, for example NULL::VARCHAR"
    if kind.startswith("time"):
        return "cast it to text, or to a number of microseconds since midnight"
    if kind.startswith(("interval", "duration", "month_day_nano")):
        return "cast it to a number of seconds or microseconds, or to text"
    return "cast the column to one of the lake's types"


def _unsupported(column: str, kind: str, fix: str) -> UnsupportedType:
    return UnsupportedType(
        f"column {column!r} has type {kind}, which the lake cannot keep without loss",
        valid=_LAKE,
        fix=fix,
    )
