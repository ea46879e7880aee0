"""Which texts of a document, and which words of a question, a model is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etl_platform.catalog.documents import Document
from etl_platform.catalog.embeddings.protocol import Embedding, unit
from etl_platform.catalog.words import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 10_000


def document_vectors(embedding: Embedding, documents: Sequence[Document]) -> NDArray[np.float32]:
    """One row for each document.

    A model that reads sentences is given the description by itself too, and the row is the mean of
    both: before it, words of a name are no sentence, and count for more than what they say. For a
    model that adds up words that would be the same words again.
    """
    import numpy as np

    if not documents:
        return np.zeros((0, 0), np.float32)
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(documents), _BATCH):
        batch = documents[start : start + _BATCH]
        found = embedding.embed([one.searched for one in batch])
        if embedding.reads_sentences:
            found = unit(found + embedding.embed([one.text for one in batch]))
        parts.append(found)
    return np.concatenate(parts)


def question_vector(embedding: Embedding, question: str) -> NDArray[np.float32]:
    """Of the whole question, also of its stop words, with identifiers spelled out."""
    return embedding.embed([" ".join(words(question)) or question])[0]
