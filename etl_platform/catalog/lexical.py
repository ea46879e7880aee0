"""A small inverted index in flat arrays: BM25 scores and filters without any loading.

Okapi BM25 as in Robertson and Zaragoza (2009), with k1 = 1.2 and b = 0.5: texts here are short, and
a longer description is rarely about more things. Facets (``=kind=table``) are terms of their own
that no word can spell; they have postings but no weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1 = 1.2
B = 0.5
FACET = "="


@dataclass(frozen=True, slots=True)
class Forward:
    """Terms by document: those of row ``r`` are ``terms[offsets[r]:offsets[r + 1]]``."""

    terms: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> Forward:
        """The rows that are kept, in order."""
        import numpy as np

        lengths = np.diff(self.offsets)
        return Forward(
            self.terms[np.repeat(kept, lengths)],
            np.concatenate(([0], np.cumsum(lengths[kept]))).astype(np.int64),
        )

    def and_rows(self, rows: Sequence[Sequence[int]]) -> Forward:
        """These rows, then others."""
        import numpy as np

        flat = np.fromiter((t for row in rows for t in row), dtype=np.int32)
        ends = np.cumsum([len(row) for row in rows], dtype=np.int64) + len(self.terms)
        return Forward(
            np.concatenate((self.terms, flat)),
            np.concatenate((self.offsets, ends)).astype(np.int64),
        )


@dataclass(frozen=True, slots=True)
class Inverted:
    """Documents by term, with the weight of the term in each."""

    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    offsets: NDArray[np.int64]
    idf: NDArray[np.float32]

    def postings(self, term: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The rows that have a term, ascending, and its weight in them."""
        span = slice(int(self.offsets[term]), int(self.offsets[term + 1]))
        return self.rows[span], self.weights[span]


def inverted(forward: Forward, vocabulary: Sequence[str]) -> Inverted:
    """Turn the index round and weigh it: a sort of all terms, nothing in Python per document."""
    import numpy as np

    count = len(forward.offsets) - 1
    owner = np.repeat(np.arange(count, dtype=np.int64), np.diff(forward.offsets))
    keys, often = np.unique(
        forward.terms.astype(np.int64) * max(count, 1) + owner, return_counts=True
    )
    term, row = keys // max(count, 1), keys % max(count, 1)
    facet = np.fromiter((t.startswith(FACET) for t in vocabulary), np.bool_, len(vocabulary))
    frequency = np.bincount(term, minlength=len(vocabulary))
    idf = np.log1p((count - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
    idf[facet | (frequency == 0)] = 0
    lengths = np.bincount(row, weights=np.where(facet[term], 0, often), minlength=count)
    mean = max(float(lengths.mean()) if count else 0.0, 1.0)
    norm = K1 * (1 - B + B * lengths[row] / mean)
    weights = (idf[term] * often * (K1 + 1) / (often + norm)).astype(np.float32)
    offsets = np.concatenate(([0], np.cumsum(frequency))).astype(np.int64)
    return Inverted(row.astype(np.int32), weights, offsets, idf)


def scores(
    index: Inverted, numbers: Mapping[str, int], asked: Sequence[str], count: int
) -> NDArray[np.float32]:
    """The BM25 score of every document for the words of a question."""
    import numpy as np

    found = np.zeros(count, dtype=np.float32)
    for word in set(asked):
        if (number := numbers.get(word)) is not None:
            rows, weights = index.postings(number)
            found[rows] += weights
    return found


def coverage(
    index: Inverted, numbers: Mapping[str, int], asked: Sequence[str], count: int
) -> float:
    """The share of a question's weight that is in words of the collection, 0 to 1.

    A word that no document has weighs as one that a single document has.
    """
    import math

    unknown = math.log1p((count + 0.5) / 1.5)
    total = known = 0.0
    for word in set(asked):
        number = numbers.get(word)
        weight = float(index.idf[number]) if number is not None else 0.0
        known += weight
        total += weight or unknown
    return known / total if total else 0.0
