"""The aircraft and airports of the demo as those who deliver them write them: in many formats."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from etl_platform.core.objects import ObjectStore

_CUT = 4_000


def deliver(store: ObjectStore) -> Iterator[tuple[str, int, int]]:
    """Write all files.

    Yields:
        Key, rows and bytes of each.
    """
    planes, airports = _frame("planes"), _frame("airports")
    part = -(-planes.height // len(_PLANES))
    west = pl.col("lon") < -100
    delivered = [
        *(
            (f"planes/part-{number}.{name}", write, planes.slice(number * part, part))
            for number, (name, write) in enumerate(_PLANES.items())
        ),
        ("airports/west.csv", _csv_utf16, airports.filter(west)),
        ("airports/east.json.bz2", _json_bz2, airports.filter(~west)),
    ]
    for key, write, frame in delivered:
        content = write(frame)
        store.put(key, content)
        yield key, frame.height, len(content)
    # An upload that was cut off: the file begins well and ends nowhere.
    cut = _csv_gz(planes)[:_CUT]
    store.put("planes/part-4.csv.gz", cut)
    yield "planes/part-4.csv.gz", 0, len(cut)


def _frame(table: str) -> pl.DataFrame:
    data = files("etl_platform.demo") / "data" / f"{table}.parquet"
    return pl.read_parquet(data.read_bytes())


def _csv_gz(frame: pl.DataFrame) -> bytes:
    return gzip.compress(frame.write_csv().encode(), mtime=0)


def _ndjson_zst(frame: pl.DataFrame) -> bytes:
    import pyarrow as pa

    compressed: bytes = pa.compress(frame.write_ndjson().encode(), "zstd", asbytes=True)
    return compressed


def _parquet(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_parquet(target)
    return target.getvalue()


def _xlsx(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_excel(target, dtype_formats={pl.Int64: "0"})
    return target.getvalue()


def _csv_utf16(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(separator=";").encode("utf-16")


def _json_bz2(frame: pl.DataFrame) -> bytes:
    return bz2.compress(frame.write_json().encode())


_PLANES: dict[str, Callable[[pl.DataFrame], bytes]] = {
    "csv.gz": _csv_gz,
    "ndjson.zst": _ndjson_zst,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
