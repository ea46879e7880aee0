"""Sets of records in pages, by every way of paging that APIs have.

One set is served in all ways at the same time, by path: ``/page/NAME``, ``/offset/NAME``,
``/cursor/NAME``, ``/next/NAME``, ``/link/NAME``, ``/keyset/NAME`` and ``POST /graphql``.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

Record = Mapping[str, object]
_FIRST = re.compile(r"first:\s*(\d+)")
_AFTER = re.compile(r'after:\s*"([^"]*)"')


@dataclass(frozen=True)
class Page:
    """One answer: JSON, and headers beside the content type."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass
class Pages:
    """A set of records.

    Attributes:
        records: in the order that they are served; ``key`` grows for keyset paging.
        page_size: where the request names none; requests may ask for less.
        overlap: records of the page before that each page repeats.
        grows_every: after so many pages a new record stands in front of all others, so that pages
            by number and offset shift.
        loops_after: the page (from 1) whose cursor points back to the first.
        total: whether bodies say how many records there are.
    """

    records: Sequence[Record]
    page_size: int = 100
    key: str = "id"
    overlap: int = 0
    grows_every: int | None = None
    loops_after: int | None = None
    total: bool = True
    served: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.records = list(self.records)

    def answer(self, scheme: str, name: str, query: Mapping[str, str], base: str) -> Page:
        """The page that a query asks for.

        Raises:
            ValueError: a parameter that is no number, or a cursor that was never given.
            KeyError: no such way of paging.
        """
        self._grow()
        size = min(int(query.get("per_page") or query.get("limit") or self.page_size), 1000)
        match scheme:
            case "page":
                first = (int(query.get("page", "1")) - 1) * size
            case "offset":
                first = int(query.get("offset", "0"))
            case "cursor" | "next" | "link":
                first = _opened(query.get("cursor", ""))
            case "keyset":
                return self._keyset(query.get("after"), size)
            case _:
                raise KeyError(scheme)
        if first < 0:
            raise ValueError("negative")
        taken = self.records[max(0, first - self.overlap) : first + size]
        more = first + size < len(self.records)
        following = 0 if first // size + 1 == self.loops_after else first + size
        link = f"{base}/{scheme}/{name}?" + urlencode({"cursor": _sealed(following), "limit": size})
        body: dict[str, object] = {"data": taken}
        headers: dict[str, str] = {}
        if scheme in {"page", "offset"} and self.total:
            body |= {"total": len(self.records)}
        elif scheme == "cursor":
            body["next_cursor"] = _sealed(following) if more else None
        elif scheme == "next":
            body["next"] = link if more else None
        elif scheme == "link" and more:
            headers["Link"] = f'<{link}>; rel="next", <{base}/link/{name}>; rel="first"'
        return Page(json.dumps(body if scheme != "link" else taken).encode(), headers)

    def connection(self, name: str, query: str, variables: Mapping[str, object]) -> Page:
        """A page as GraphQL has it, for ``{ NAME(first: 10, after: "c") {...} }``."""
        self._grow()
        first, after = _FIRST.search(query), _AFTER.search(query)
        size = int(str(variables.get("first") or (first and first[1]) or self.page_size))
        start = _opened(str(variables.get("after") or (after and after[1]) or ""))
        taken = self.records[max(0, start - self.overlap) : start + size]
        following = 0 if start // size + 1 == self.loops_after else start + size
        more = start + size < len(self.records)
        page_info = {"hasNextPage": more, "endCursor": _sealed(following) if taken else None}
        edges = [
            {"node": record, "cursor": _sealed(start + at + 1)} for at, record in enumerate(taken)
        ]
        nodes = {"edges": edges, "nodes": taken, "pageInfo": page_info}
        return Page(json.dumps({"data": {name: nodes}}).encode())

    def _keyset(self, after: str | None, size: int) -> Page:
        ordered = sorted(self.records, key=lambda record: int(str(record[self.key])))
        taken = [r for r in ordered if after is None or int(str(r[self.key])) > int(after)][:size]
        return Page(json.dumps({"data": taken}).encode())

    def _grow(self) -> None:
        with self.lock:
            self.served += 1
            if self.grows_every and self.served % self.grows_every == 0:
                top = max(int(str(record[self.key])) for record in self.records)
                self.records = [dict(self.records[0]) | {self.key: top + 1}, *self.records]


def _sealed(first: int) -> str:
    return urlsafe_b64encode(f"at:{first}".encode()).decode()


def _opened(cursor: str) -> int:
    return int(urlsafe_b64decode(cursor).decode().removeprefix("at:")) if cursor else 0
