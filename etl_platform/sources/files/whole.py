"""Content that is read in order, or with jumps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, cast

_IN_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """The decompressed bytes of a file."""

    source: IO[bytes] | None
    pieces: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces()

    def seekable(self) -> IO[bytes]:
        """A file to jump about in; of compressed content a copy, on disk from 16 MiB on."""
        if self.source is not None:
            return self.source
        copy = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 (the reader closes it)
        for piece in self:
            copy.write(piece)
        copy.seek(0)
        return cast("IO[bytes]", copy)
