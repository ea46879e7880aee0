"""What a query's process is asked, and what it tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from etl_platform.core.settings import Settings
from etl_platform.planner.plan import TableInput


@dataclass(frozen=True, slots=True)
class Request:
    """One query, as its process is asked for it.

    Attributes:
        inputs: the tables, and the only files that may be opened.
        result: the Arrow IPC file that is written; it exists already, empty and private.
        max_rows: rows after which the query has failed.
        max_result_bytes: size of ``result`` after which it has failed.
        max_spill_bytes: size of the spill folder after which it has failed.
        settings: memory, threads and spill folder of this one query, without any URL.
        mask_key: what hash masks are made with: the process cannot resolve references itself.
        analyze: whether DuckDB measures each of its operators.
    """

    sql: str
    params: Mapping[str, object] | Sequence[object] | None
    inputs: tuple[TableInput, ...]
    result: str
    max_rows: int | None
    max_result_bytes: int | None
    max_spill_bytes: int
    settings: Settings
    mask_key: str | None = None
    analyze: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One message from a query's process.

    Attributes:
        pid: of the process; the first message has it.
        progress: how far it is, from 0 to 1.
        rows: of the finished result.
        peak_bytes: of resident memory, when finished.
        profile: what DuckDB measured, as its JSON, when that was asked for.
        failed: what kind of failure ended it: ``memory``, ``spill`` or ``result``
            (their size), ``rows``, ``type`` (no frame can hold it), ``file``, ``name`` (unknown),
            ``engine``.
        what: the failure in words; for ``type`` the column, for ``name`` the place.
        valid: what would have been accepted.
        of: for ``type`` the type; for ``name`` what it should have been the name of.
        name: the unknown name; ``known`` are those that exist.
    """

    pid: int | None = None
    progress: float | None = None
    rows: int | None = None
    peak_bytes: int = 0
    profile: str | None = None
    failed: str | None = None
    what: str = ""
    valid: str | None = None
    of: str = ""
    name: str = ""
    known: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """JSON, not pickle: a process that ran somebody's SQL is not trusted with code."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, text: bytes) -> Told:
        return cls(**json.loads(text))
