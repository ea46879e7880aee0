"""Secrets that are looked for afterwards in everything that a project left behind or answered."""

from __future__ import annotations

import base64
import gzip
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import polars as pl

_LENGTH = 16


class Canaries:
    """Made by name, each with two halves of its own: one is enough to betray it.

    Between the halves stand characters that every form of quoting changes.
    """

    def __init__(self) -> None:
        self._halves: dict[str, tuple[str, str]] = {}

    def __call__(self, name: str) -> str:
        """A secret; the same one for the same name."""
        if name not in self._halves:
            self._halves[name] = (uuid4().hex[:_LENGTH], uuid4().hex[:_LENGTH])
        first, second = self._halves[name]
        return f"c{first}@/ %:é{second}"

    def __len__(self) -> int:
        return len(self._halves)

    def plain(self, name: str) -> str:
        """A secret of letters and digits, for what takes nothing else."""
        self(name)
        return "".join(self._halves[name])

    def found_in(self, data: bytes) -> set[str]:
        """Names of the canaries that some bytes hold, as text, UTF-16 or base64."""
        return {
            name
            for name, halves in self._halves.items()
            if any(form in data for half in halves for form in _forms(half))
        }

    def found_below(self, *folders: Path) -> set[str]:
        """``name in path`` for every file that holds one, also packed or cut by a page's end."""
        return {
            f"{name} in {path}"
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()
            for data in _readings(path)
            for name in self.found_in(data)
        }


def _forms(half: str) -> Iterator[bytes]:
    yield half.encode()
    yield half.encode("utf-16-le")
    for shift in range(3):
        # Without the characters that depend on what stands before and behind.
        packed = base64.b64encode(b"\0" * shift + half.encode())
        yield packed[4 if shift else 0 : -4]


def _readings(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data.startswith(b"SQLite format 3"):
        with suppress(sqlite3.DatabaseError):
            con = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            yield "\n".join(con.iterdump()).encode()
            con.close()
    elif data.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):
            yield gzip.decompress(data)
    elif data.startswith(b"PAR1"):
        with suppress(pl.exceptions.PolarsError):
            yield "\n".join(map(repr, pl.read_parquet(path).rows())).encode()
