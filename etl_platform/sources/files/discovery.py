"""What of a place of files is new, written again or gone: its listing beside the ledger.

Both come in the order of their keys, so one pass over both tells, in memory that grows only with
what is to be loaded now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from etl_platform.core.objects import ObjectInfo
from etl_platform.sources.files.ledger import Entry


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is to be loaded, and what the ledger says of its key; None where it is new."""

    info: ObjectInfo
    before: Entry | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is loaded at once; what comes first in the order of keys comes first."""

    files: int = 100_000
    size_bytes: int = 64 << 30


@dataclass
class Looked:
    """One look at a place of files.

    Attributes:
        news: what is to be loaded now.
        gone: entries whose object is no longer there.
        waiting: how many objects are to be loaded after ``news``.
        unsettled: how many are too young.
        listed: how many there are.
        bad: how many are known to be bad and are not tried again.
        unnamed: how many have keys that are not UTF-8, which no table can hold.
    """

    news: list[Found] = field(default_factory=list[Found])
    gone: list[Entry] = field(default_factory=list[Entry])
    waiting: int = 0
    unsettled: int = 0
    listed: int = 0
    bad: int = 0
    unnamed: int = 0
    _digest: hashlib.blake2b = field(
        default_factory=lambda: hashlib.blake2b(digest_size=16), repr=False
    )

    @property
    def digest(self) -> str:
        """Changes whenever what is to be loaded does, whatever waits included."""
        return self._digest.hexdigest()

    def saw(self, key: str, etag: str) -> None:
        """Let the digest be of this, too."""
        self._digest.update(f"{key}\0{etag}\n".encode())


def compare(
    listing: Iterable[ObjectInfo], ledger: Iterable[Entry]
) -> Iterator[tuple[ObjectInfo | None, Entry | None]]:
    """Every key of either, in order, with what both say of it."""
    entries = iter(ledger)
    entry = next(entries, None)
    for info in listing:
        while entry is not None and entry.key < info.key:
            yield None, entry
            entry = next(entries, None)
        if entry is not None and entry.key == info.key:
            yield info, entry
            entry = next(entries, None)
        else:
            yield info, None
    while entry is not None:
        yield None, entry
        entry = next(entries, None)


def look(
    listing: Iterable[ObjectInfo],
    ledger: Iterable[Entry],
    *,
    limits: Limits | None = None,
    settled_before: datetime | None = None,
    again: bool = False,
    removes: bool = False,
) -> Looked:
    """Tell what is to be done.

    Args:
        listing: the objects in the order of their keys.
        ledger: of the same keys.
        limits: default: no more than :class:`Limits` says.
        settled_before: objects that were written later are left for another look.
        again: whether bad objects are tried again although they are the same.
        removes: whether it matters that objects are gone.
    """
    most = limits or Limits()
    found = Looked()
    left = most.size_bytes
    for info, entry in compare(_named(listing, found), ledger):
        if info is None:
            if entry is not None and removes:
                found.gone.append(entry)
                found.saw(entry.key, "")
            continue
        found.listed += 1
        if entry is not None and entry.is_of(info) and (entry.reason is None or not again):
            found.bad += entry.reason is not None
            continue
        if settled_before is not None and info.modified > settled_before:
            found.unsettled += 1
            continue
        found.saw(info.key, info.etag)
        if found.waiting or len(found.news) == most.files or (found.news and left < 0):
            found.waiting += 1
            continue
        found.news.append(Found(info, entry))
        left -= info.size_bytes
    return found


def _named(listing: Iterable[ObjectInfo], found: Looked) -> Iterator[ObjectInfo]:
    for info in listing:
        try:
            info.key.encode()
        except UnicodeEncodeError:
            found.unnamed += 1
        else:
            yield info
