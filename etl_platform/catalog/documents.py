"""What the catalogue knows: one frozen document for each fact about one thing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Literal

from etl_platform.catalog.words import inert, spelled

Kind = Literal["table", "column", "model", "check", "query", "page", "failure"]
KINDS: tuple[Kind, ...] = ("table", "column", "model", "check", "query", "page", "failure")
_MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Document:
    """One fact about one thing. Several documents may tell of the same thing.

    A thing is found through any of its facts, but only through those whose ``sees`` and ``whole``
    the reader may see: so no word of a hidden table is found or shown by way of another.

    Attributes:
        kind: of the thing.
        name: of the thing: ``schema.table``, ``schema.table.column``, a query's or page's name,
            ``schema.table:run`` of a failure.
        aspect: which fact: ``about``, ``columns``, ``values``, ``lineage``...
        text: what is searched, in plain words.
        table: to which table the thing belongs; the unit of incremental updates.
        sees: tables and columns that the text names.
        whole: tables of which the reader has to see every row and column.
        updated_at: of the table's newest version, in seconds since 1970.
    """

    kind: Kind
    name: str
    aspect: str
    text: str
    table: str | None = None
    dtype: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pii: str | None = None
    sees: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    updated_at: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", inert(self.name))
        object.__setattr__(self, "text", inert(self.text)[:_MAX_TEXT])
        object.__setattr__(self, "owners", tuple(map(inert, self.owners)))
        object.__setattr__(self, "tags", tuple(map(inert, self.tags)))

    @property
    def id(self) -> str:
        """Unique: the thing and the fact."""
        return f"{self.kind}:{self.name}:{self.aspect}"

    @property
    def schema(self) -> str | None:
        return self.table.partition(".")[0] if self.table else None

    @property
    def body(self) -> str:
        """The document as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def of(cls, body: str | bytes) -> Document:
        """A document from its JSON."""
        read: dict[str, Any] = json.loads(body)
        for name in ("owners", "tags", "sees", "whole"):
            read[name] = tuple(read[name])
        return cls(**read)

    @property
    def fingerprint(self) -> str:
        """Changes when anything that is searched, shown or filtered by does."""
        return blake2b(self.body.encode(), digest_size=12).hexdigest()

    @property
    def searched(self) -> str:
        """The name as people say it, then the text."""
        last = self.name if self.kind == "page" else self.name.replace(".", " ")
        return f"{spelled(last)}. {self.text}"

    def facets(self) -> list[str]:
        """What can be filtered by, as ``facet=value``."""
        found = [f"kind={self.kind}", f"pii={'yes' if self.pii else 'no'}"]
        if self.schema:
            found += [f"schema={self.schema}", f"table={self.table}"]
        found += [f"owner={owner}" for owner in self.owners]
        return found + [f"tag={tag}" for tag in self.tags]
