"""Questions in words: vectors and BM25 together, filtered, and each hit explained."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from etl_platform.catalog.documents import Document, Kind
from etl_platform.catalog.embeddings import Embedding
from etl_platform.catalog.embeddings.texts import question_vector
from etl_platform.catalog.lexical import coverage, scores
from etl_platform.catalog.snapshot import Snapshot
from etl_platform.catalog.words import inert, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEXICAL_SHARE = 0.1
"""The most that words may count: chosen on the development half of the questions."""
IDENTIFIER_SHARE = 0.6
"""The same for a question that spells a name (``l_tax``, ``b737``), which no model knows."""
_IDENTIFIER = re.compile(r"\w[._]\w|\d")
_DOUBT = 4
"""How fast words lose weight where some of the question's are in no document: one that happens to
be shared says little. Chosen as ``LEXICAL_SHARE`` was."""
_FIRST_LOOK = 200


class Reader(Protocol):
    """Who searches, and what he may see."""

    def sees(self, name: str) -> bool:
        """Whether ``schema.table`` or ``schema.table.column`` exists for him."""
        ...

    def sees_whole(self, table: str) -> bool:
        """Whether he sees every row and column of a table as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits have to be; of each field one of its values, nothing said is everything.

    Attributes:
        fresh_s: the table was published within so many seconds.
    """

    kinds: tuple[Kind, ...] = ()
    schemas: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pii: bool | None = None
    fresh_s: float | None = None

    def facets(self) -> list[list[str]]:
        """Groups of facets; a document has one of each group."""
        pii = [] if self.pii is None else [f"=pii={'yes' if self.pii else 'no'}"]
        groups = [
            [f"={facet}={value}" for value in values]
            for facet, values in (
                ("kind", self.kinds),
                ("schema", self.schemas),
                ("owner", self.owners),
                ("tag", self.tags),
            )
        ]
        return [group for group in (*groups, pii) if group]


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found.

    Attributes:
        score: 0 to 1 within one answer; scores of two questions do not compare.
        why: words in common, nearness in meaning, and the share of each in the score.
    """

    kind: Kind
    name: str
    score: float
    text: str
    why: str
    dtype: str | None = None
    pii: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Search:
    """Searches of one generation."""

    def __init__(self, snapshot: Snapshot, embedding: Embedding) -> None:
        self._snapshot = snapshot
        self._embedding = embedding

    def __call__(
        self,
        text: str,
        limit: int = 10,
        filters: Filters | None = None,
        reader: Reader | None = None,
    ) -> list[Hit]:
        """The things that fit best, best first, each once.

        Args:
            reader: whose policies hold; None sees everything.
        """
        count = len(self._snapshot)
        question = inert(text)
        if not count or not question:
            return []
        asked = terms(question)
        lexical, meaning, share = self.parts(question)
        total = fused(lexical, meaning, share)
        kept = self._kept(filters or Filters())
        if kept is not None:
            total[~kept] = -1
        return self._hits(total, meaning, share, asked, limit, reader)

    def parts(self, question: str) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """BM25 scores, cosines, and the share of the former."""
        snapshot = self._snapshot
        asked = terms(question)
        lexical = scores(snapshot.inverted, snapshot.numbers, asked, len(snapshot))
        known = coverage(snapshot.inverted, snapshot.numbers, asked, len(snapshot))
        meaning = snapshot.vectors @ question_vector(self._embedding, question)
        if _IDENTIFIER.search(question):
            return lexical, meaning, IDENTIFIER_SHARE * known
        return lexical, meaning, LEXICAL_SHARE * known**_DOUBT

    def _kept(self, filters: Filters) -> NDArray[np.bool_] | None:
        import numpy as np

        kept: NDArray[np.bool_] | None = None
        for group in filters.facets():
            mask = np.zeros(len(self._snapshot), np.bool_)
            for facet in group:
                if (number := self._snapshot.numbers.get(facet)) is not None:
                    mask[self._snapshot.inverted.postings(number)[0]] = True
            kept = mask if kept is None else kept & mask
        if filters.fresh_s is not None:
            mask = self._snapshot.updated_at >= time.time() - filters.fresh_s
            kept = mask if kept is None else kept & mask
        return kept

    def _hits(
        self,
        total: NDArray[np.float32],
        meaning: NDArray[np.float32],
        share: float,
        asked: Sequence[str],
        limit: int,
        reader: Reader | None,
    ) -> list[Hit]:
        found: dict[str, Hit] = {}
        for row in _best_first(total):
            if len(found) == limit or total[row] < 0:
                break
            document = self._snapshot.document(row)
            key = f"{document.kind}:{document.name}"
            if key in found or not _visible(document, reader):
                continue
            common = [w for w in dict.fromkeys(asked) if w in set(terms(document.searched))]
            words = f"words in common: {', '.join(common)}" if common else "no word in common"
            found[key] = Hit(
                document.kind,
                document.name,
                round(float(total[row]), 4),
                document.text,
                f"{words}; meaning {float(meaning[row]):.2f}; words count {share:.0%}; "
                f"found by {document.aspect}",
                document.dtype,
                document.pii,
                document.owners,
                document.tags,
            )
        return list(found.values())


def fused(
    lexical: NDArray[np.float32], meaning: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """A convex combination of both, each brought to 0..1 (Bruch, Gai and Ingber, 2023)."""
    import numpy as np

    top = float(lexical.max()) or 1.0
    low, high = float(meaning.mean()), float(meaning.max())
    near = np.clip((meaning - low) / max(high - low, 1e-6), 0, 1)
    return (share * lexical / top + (1 - share) * near).astype(np.float32)


def _visible(document: Document, reader: Reader | None) -> bool:
    return reader is None or (
        all(map(reader.sees, document.sees)) and all(map(reader.sees_whole, document.whole))
    )


def _best_first(total: NDArray[np.float32]) -> Iterator[int]:
    """Rows by falling score; only as many are sorted as are looked at."""
    import numpy as np

    done, size = 0, min(_FIRST_LOOK, len(total))
    while done < len(total):
        top = np.argpartition(-total, size - 1)[:size] if size < len(total) else np.arange(size)
        order = top[np.lexsort((top, -total[top]))]
        yield from order[done:].tolist()
        done, size = size, min(size * 8, len(total))
