"""The beginning of a file, as stored and as text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, cast

from etl_platform.core.objects import ObjectInfo, ObjectStore
from etl_platform.sources.files.compression import chunks
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.models import FileSample
from etl_platform.sources.files.ranges import ObjectReader

if TYPE_CHECKING:
    from etl_platform.sources.files.options import CompressionName

SAMPLE_BYTES = 256 << 10


def sample(store: ObjectStore, info: ObjectInfo, size: int = SAMPLE_BYTES) -> FileSample:
    """Read the first bytes of an object.

    Raises:
        ObjectChanged: it is another object by now.
        ObjectMissing: it is gone.
    """
    length = min(size, info.size_bytes)
    head = store.read(info.key, 0, length, if_match=info.etag) if length else b""
    return FileSample(store, info, head)


def opened(found: FileSample) -> IO[bytes]:
    """The whole object; what the sample holds is not read again where that is all."""
    if len(found.head) == found.info.size_bytes:
        return io.BytesIO(found.head)
    return cast("IO[bytes]", ObjectReader(found.store, found.info))


def plain_head(
    found: FileSample, compression: CompressionName, member: str | None = None
) -> tuple[bytes, bool]:
    """The first bytes of the content, and whether they are all of it.

    Raises:
        BadFile: they cannot be decompressed.
    """
    whole = len(found.head) == found.info.size_bytes
    if compression == "none":
        return found.head, whole
    # Only a zip has its directory at the end, so only it is read beyond the sample.
    source = opened(found) if compression == "zip" else io.BytesIO(found.head)
    parts = list[bytes]()
    size = 0
    pieces: Iterator[bytes] = chunks(source, compression, found.uri, member)
    while size < SAMPLE_BYTES:
        try:
            piece = next(pieces)
        except StopIteration:
            return b"".join(parts), whole or compression == "zip"
        except BadFile:
            if whole or not parts:
                raise
            break  # The sample ends within a member, as was to be expected.
        parts.append(piece)
        size += len(piece)
    return b"".join(parts)[:SAMPLE_BYTES], False
