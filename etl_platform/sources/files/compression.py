"""Compressed bytes as a stream: members one after another, checksums looked at, ends required."""

from __future__ import annotations

import bz2
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.options import CompressionName

CHUNK_BYTES = 1 << 20
MAGIC: tuple[tuple[bytes, CompressionName], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)


def compression_of(head: bytes) -> CompressionName:
    """What the first bytes say."""
    for magic, name in MAGIC:
        if head.startswith(magic):
            return name
    return "none"


def chunks(
    source: IO[bytes], compression: CompressionName, where: str, member: str | None = None
) -> Iterator[bytes]:
    """The content in pieces of about a megabyte, decompressed.

    Raises:
        BadFile: a checksum is wrong, the end is missing, something else follows it, or a zip is
            encrypted or holds another number of files than one.
    """
    if compression == "none":
        yield from iter(lambda: source.read(CHUNK_BYTES), b"")
    elif compression == "gzip":
        yield from _members(source, lambda: zlib.decompressobj(31), where, "gzip", zlib.error)
    elif compression == "bz2":
        yield from _members(source, bz2.BZ2Decompressor, where, "bz2", (OSError, ValueError))
    elif compression == "zstd":
        yield from _zstd(source, where)
    else:
        yield from _zip(source, where, member)


def _members(
    source: IO[bytes],
    new: Callable[[], Any],
    where: str,
    name: str,
    errors: type[Exception] | tuple[type[Exception], ...],
) -> Iterator[bytes]:
    member, begun, done = new(), False, 0
    data = source.read(CHUNK_BYTES)
    while data:
        if not begun and done and not data.strip(b"\0"):
            data = source.read(CHUNK_BYTES)  # Tapes and block devices pad with zeros.
            continue
        try:
            # Limits what one piece can grow to: a small file may hold gigabytes of zeros.
            if name == "gzip":
                out = member.decompress(data, CHUNK_BYTES * 4)
                data = member.unconsumed_tail
            else:
                out = member.decompress(data, CHUNK_BYTES * 4)
                data = b""
                while not member.eof and not member.needs_input:
                    yield out
                    out = member.decompress(b"", CHUNK_BYTES * 4)
        except errors as error:
            what = "something that is not compressed follows" if done and not begun else error
            raise BadFile(where, f"damaged {name}: {what}") from error
        begun = True
        if out:
            yield out
        if member.eof:
            data = member.unused_data or source.read(CHUNK_BYTES)
            member, begun, done = new(), False, done + 1
        elif not data:
            data = source.read(CHUNK_BYTES)
    if begun or not done:
        raise BadFile(where, f"damaged {name}: the end is missing (truncated)")


def _zstd(source: IO[bytes], where: str) -> Iterator[bytes]:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(cast("Any", source), "zstd") as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece
    except OSError as error:
        raise BadFile(where, f"damaged zstd: {error}") from error


def zip_members(source: IO[bytes], where: str) -> list[str]:
    """Names of the files in a zip.

    Raises:
        BadFile: it has no directory (truncated), or is damaged.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return [one.filename for one in archive.infolist() if not one.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise BadFile(where, f"damaged zip: {error}") from error


def _zip(source: IO[bytes], where: str, member: str | None) -> Iterator[bytes]:
    names = zip_members(source, where)
    if member is None and len(names) != 1:
        raise BadFile(
            where,
            f"the zip holds {len(names)} files: {', '.join(names[:5])}",
            fix="declare member, or store the files one by one",
        )
    try:
        with zipfile.ZipFile(source) as archive, archive.open(member or names[0]) as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece
    except KeyError as error:
        raise BadFile(where, f"the zip has no {member!r}, but {', '.join(names[:5])}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise BadFile(where, f"damaged zip: {error}") from error
