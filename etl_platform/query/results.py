"""Results of queries as files: pages of one result, and the same question answered again.

A result is an Arrow IPC file that never changes, so a page is a slice of it whatever happens to the
tables. It is named by what it is the answer to; the least recently used ones go first.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, QueryRefused

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from etl_platform.planner.plan import Plan

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{40}")
_CURSOR = re.compile(rf"({_ID.pattern}):([0-9]{{1,18}})")
_ABANDONED_S = 24 * 3600
_WORDS = re.compile(r"\w+")
_CLOCK_OR_CHANCE = frozenset(
    {"age", "ago", "now", "today", "tomorrow", "yesterday", "sample", "tablesample", "user"}
)
_CHANGING_PREFIXES = ("current", "local", "pg_", "session")


@dataclass(frozen=True, slots=True)
class Stored:
    """A result. Its rows stay readable even when the file is removed.

    Attributes:
        id: by which it is found again.
        table: the rows, mapped from the file rather than read.
    """

    id: str
    table: pa.Table

    @property
    def rows(self) -> int:
        return self.table.num_rows

    def frame(self, offset: int = 0, rows: int | None = None) -> pl.DataFrame:
        """Some rows, or all of them."""
        import polars as pl

        found = pl.from_arrow(self.table.slice(offset, rows), rechunk=False)
        assert isinstance(found, pl.DataFrame)
        return found

    def page(self, rows: int, offset: int = 0) -> Page:
        """The page that begins at a row."""
        end = offset + rows
        following = f"{self.id}:{end}" if end < self.rows else None
        return Page(self.frame(offset, rows), following, self.rows, offset)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result.

    Attributes:
        cursor: asks for the next page; None after the last one.
        rows_total: of the whole result.
        first: how many rows stand before the page.
    """

    frame: pl.DataFrame
    cursor: str | None
    rows_total: int
    first: int = 0


class ResultStore:
    """A folder of results that only its owner can read.

    Args:
        folder: created when first needed.
        max_bytes: of all files together; a larger result is answered, but not kept.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def create(self) -> Path:
        """An empty private file for a result that is being computed."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, path = tempfile.mkstemp(suffix=".part", dir=self.folder)
        os.close(descriptor)
        return Path(path)

    def keep(self, part: Path, result_id: str) -> Stored:
        """Give a computed file its name; the first one of a name stays, so that pages fit."""
        final = self._path(result_id)
        try:
            os.link(part, final)
        except FileExistsError:
            kept = self.find(result_id)
            if kept is not None:
                return kept
            part.replace(final)
        stored = Stored(result_id, _mapped(final))
        self._evict()
        return stored

    def find(self, result_id: str) -> Stored | None:
        """A kept result, which then counts as used."""
        import pyarrow as pa

        path = self._path(result_id)
        try:
            table = _mapped(path)
            os.utime(path)
        except FileNotFoundError:
            return None
        except pa.ArrowInvalid:
            path.unlink(missing_ok=True)  # cut short by a crash of the machine
            return None
        return Stored(result_id, table)

    def page(self, cursor: str, rows: int, scope: str) -> Page:
        """The rows that a cursor stands for.

        Args:
            cursor: of the page before.
            rows: the most that are wanted.
            scope: of whoever asks, see :func:`scope_of`.

        Raises:
            QueryRefused: the cursor is another role's, or the role's policy has changed since.
            PermanentError: it is no cursor, or the result is no longer kept.
        """
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise PermanentError(
                f"{cursor[:60]!r} is no cursor", fix="pass the cursor of the page before"
            )
        if not cursor.startswith(f"{scope}-"):
            raise QueryRefused(
                "the cursor was given under another role or policy", fix="run the query again"
            )
        stored = self.find(match[1])
        if stored is None:
            raise PermanentError("the result is no longer kept", fix="run the query again")
        return stored.page(rows, int(match[2]))

    def _path(self, result_id: str) -> Path:
        return self.folder / f"{result_id}.arrow"

    def _evict(self) -> None:
        now = time.time()
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if path.suffix == ".arrow":
                found.append((status.st_mtime, status.st_size, path))
            elif now - status.st_mtime > _ABANDONED_S:
                path.unlink(missing_ok=True)
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def scope_of(role: str | None, policy: str) -> str:
    """Whose results: the same role under the same policy (any text that changes with it)."""
    return hashlib.sha256(f"{role}\0{policy}".encode()).hexdigest()[:8]


def result_id(plan: Plan, scope: str) -> str:
    """What the result of a plan is called: the same for the same question on the same files.

    The files are part of it: a table that was dropped and made again has old version numbers.
    """
    if not _repeatable(plan.sql):
        return f"{scope}-{secrets.token_hex(20)}"
    digest = hashlib.sha256(plan.key.encode())
    for table in plan.inputs:
        digest.update(f"\0{table.table.sql}\0{table.version}\0{table.visible_sql}".encode())
    return f"{scope}-{digest.hexdigest()[:40]}"


def _repeatable(sql: str) -> bool:
    """Whether no word of the text could be a clock, a random number or a sample.

    Words are looked at wherever they stand, so a column called ``now`` costs the reuse, not the
    truth.
    """
    words = set(_WORDS.findall(sql.lower()))
    return not (
        words & _CLOCK_OR_CHANCE
        or words & _changing_functions()
        or any(word.startswith(_CHANGING_PREFIXES) for word in words)
    )


@cache
def _changing_functions() -> frozenset[str]:
    from etl_platform.query.read_only import parser

    found = (
        parser()
        .cursor()
        .execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
            "WHERE stability IS NOT NULL AND stability <> 'CONSISTENT'"
        )
    )
    return frozenset(name for (name,) in found.fetchall())


def _mapped(path: Path) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
