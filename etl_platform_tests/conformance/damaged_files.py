"""Twenty ways in which good files are damaged, each at a place that a seed chooses."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import zipfile
from collections.abc import Callable

import pyarrow as pa

from etl_platform_tests.conformance.file_contents import CONTENTS

Damage = Callable[[random.Random], bytes]


def _line(data: bytes, seed: random.Random) -> tuple[list[bytes], int]:
    lines = data.split(b"\n")
    return lines, seed.randrange(2, len(lines) - 2)


def _changed(data: bytes, seed: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    lines, at = _line(data, seed)
    lines[at] = change(lines[at])
    return b"\n".join(lines)


def _cut(data: bytes, seed: random.Random) -> bytes:
    return data[: seed.randrange(len(data) // 4, len(data) - 8)]


def _flipped(data: bytes, seed: random.Random, start: int = 0, end: int = 0) -> bytes:
    at = seed.randrange(start, len(data) - end)
    return data[:at] + bytes([data[at] ^ (1 << seed.randrange(8))]) + data[at + 1 :]


def _csv(change: Callable[[bytes], bytes]) -> Damage:
    return lambda seed: _changed(CONTENTS["csv"], seed, change)


def _ndjson(change: Callable[[bytes], bytes]) -> Damage:
    return lambda seed: _changed(CONTENTS["ndjson"], seed, change)


def _zipped(data: bytes, names: tuple[str, ...] = ("inside",)) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return target.getvalue()


def _zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


DAMAGES: dict[str, Damage] = {
    "csv: a field too many": _csv(lambda line: line + b",more"),
    "csv: a field too few": _csv(lambda line: line.rpartition(b",")[0]),
    "csv: a quote opened": _csv(lambda line: line.replace(b",", b',"', 1)),
    "csv: a byte that is not UTF-8": _csv(lambda line: line.replace(b",", b",\xff", 1)),
    "csv: zeros": _csv(lambda line: b"\0" * len(line)),
    "csv: two lines joined": _csv(lambda line: line + b"7,00007,,7.5"),
    "csv: a text among numbers": _csv(lambda line: b"x" + line),
    "csv: another encoding from here on": lambda seed: _changed(
        CONTENTS["csv"], seed, lambda line: line.decode().encode("utf-16-le")
    ),
    "ndjson: an object cut off": _ndjson(lambda line: line[:-5]),
    "ndjson: text behind an object": _ndjson(lambda line: line + b"}"),
    "ndjson: HTML": _ndjson(lambda _: b"<html>503 Service Unavailable</html>"),
    "ndjson: a field twice": _ndjson(lambda line: line.replace(b"}", b', "x": "x"}')),
    "json: truncated": lambda seed: _cut(CONTENTS["json"], seed),
    "gzip: truncated": lambda seed: _cut(gzip.compress(CONTENTS["csv"]), seed),
    "gzip: a bit flipped": lambda seed: _flipped(gzip.compress(CONTENTS["ndjson"]), seed, 10),
    "bz2: truncated": lambda seed: _cut(bz2.compress(CONTENTS["csv"]), seed),
    "zstd: truncated": lambda seed: _cut(_zstd(CONTENTS["csv"]), seed),
    "zip: truncated": lambda seed: _cut(_zipped(CONTENTS["csv"]), seed),
    "parquet: truncated": lambda seed: _cut(CONTENTS["parquet"], seed),
    "avro: truncated": lambda seed: _cut(CONTENTS["avro"], seed),
}
