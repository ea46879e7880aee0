"""How a database finds single rows: by a number that each has, or by a hash of what it is.

A number (``rowid``, an integer primary key) need not be without gaps: numbers drawn at random that
no row has are left out, and every row is as likely as any other. A hash gives each row a number
that has nothing to do with its contents; rows below a threshold are a Bernoulli sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etl_platform.sources.database import SourceTable

_PRIME = 2_147_483_647


@dataclass(frozen=True, slots=True)
class Addressing:
    """SQL about the rows of one table, called ``t``.

    Attributes:
        number: an integer that is another one for every row and has an index; None: there is none.
        hashed: a number by seed, of each row another; None: there is none.
        limit: literal which that number does not exceed for a share of the rows.
    """

    number: str | None
    hashed: Callable[[int], str] | None = None
    limit: Callable[[float], str] = str


def addressing(kind: str, table: SourceTable, quote: Callable[[str], str]) -> Addressing:
    """What a kind of database offers for a table."""
    if table.kind != "table":
        return Addressing(None)
    key = _integer_key(table, quote)
    match kind:
        case "postgresql":
            return Addressing(key, _postgresql, lambda share: str(_within(share, 64) - 2**63))
        case "duckdb":
            limit = "{}::UBIGINT".format
            return Addressing(
                "t.rowid", "hash(t.rowid, {})".format, lambda share: limit(_within(share, 64))
            )
        case "mysql":
            columns = [f"t.{quote(name)}" for name in table.primary_key]
            hashed = _mysql(columns) if columns else None
            return Addressing(key, hashed, lambda share: f"'{_within(share, 52):013x}'")
        case _:
            return Addressing("t.rowid", _sqlite, lambda share: str(math.floor(share * _PRIME)))


def _within(share: float, bits: int) -> int:
    return min(2**bits - 1, math.floor(share * 2**bits))


def _integer_key(table: SourceTable, quote: Callable[[str], str]) -> str | None:
    if len(table.primary_key) != 1:
        return None
    column = table.column(table.primary_key[0])
    whole = (column.arrow_type or "").startswith("int")
    return f"t.{quote(column.name)}" if whole else None


def _postgresql(seed: int) -> str:
    """By the row's place: https://www.postgresql.org/docs/current/ddl-system-columns.html."""
    return f"hashtextextended(t.tableoid::text || t.ctid::text, {seed})"


def _mysql(columns: Sequence[str]) -> Callable[[int], str]:
    """By MD5 of the key: CRC32 is linear, and neighbouring keys would not be independent."""
    return lambda seed: f"LEFT(MD5(CONCAT_WS('|', {seed}, {', '.join(columns)})), 13)"


def _sqlite(seed: int) -> str:
    """SQLite has neither hash nor exclusive or: x^5 + c modulo the prime 2^31 - 1, three times.

    The fifth power permutes the numbers below this prime, because 5 does not divide prime - 1;
    no product leaves 64 bits.
    """
    constants = np.random.default_rng(seed).integers(1, _PRIME, 4)
    value = f"((t.rowid % {_PRIME} + {_PRIME}) * {constants[0]} % {_PRIME})"
    inner = f"SELECT {value} AS v"
    for constant in constants[1:]:
        fourth = f"(v * v % {_PRIME}) * (v * v % {_PRIME}) % {_PRIME}"
        inner = f"SELECT ({fourth} * v + {constant}) % {_PRIME} AS v FROM ({inner})"
    return f"({inner})"
