"""Retrieval on labelled questions.

``python -m etl_platform_tests.catalog.evaluation [EMBEDDING]...``
Without arguments the default embedding alone; ``minilm:FOLDER`` adds another.

Every question is asked within its schema, over tables and columns. Half of them, by a hash of the
text, were used to choose anything that can be chosen; the other half gives the final figures.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import yaml

from etl_platform.catalog.building import empty, following
from etl_platform.catalog.documents import Document
from etl_platform.catalog.embeddings import Embedding, embedding_of
from etl_platform.catalog.embeddings.texts import document_vectors
from etl_platform.catalog.search import Search, fused
from etl_platform.catalog.snapshot import Snapshot
from etl_platform.core.errors import EtlError

FOLDER = Path(__file__).parent / "questions"
Scores = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Question:
    schema: str
    text: str
    answers: frozenset[str]

    @property
    def final(self) -> bool:
        """Whether the question is kept for the final figures."""
        return sha256(self.text.encode()).digest()[0] % 2 == 1


@dataclass(frozen=True)
class Figures:
    recall_at_5: float
    ndcg_at_10: float
    questions: int


def questions() -> list[Question]:
    return [
        Question(path.stem, text, frozenset(f"{path.stem}.{one}" for one in answers.split()))
        for path in sorted(FOLDER.glob("*.yaml"))
        for text, answers in yaml.safe_load(path.read_text())["questions"].items()
    ]


def documents() -> Iterator[Document]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for name, said in yaml.safe_load(path.read_text())["tables"].items():
            table = f"{path.stem}.{name}"
            yield Document("table", table, "about", said["about"], table)
            for column, text in said["columns"].items():
                yield Document("column", f"{table}.{column}", "about", text, table)


def index(embedding: Embedding) -> Snapshot:
    found = list(documents())
    vectors = document_vectors(embedding, found)
    return following(empty(embedding.model), (), found, vectors)


WAYS: dict[str, Scores] = {
    "bm25": lambda lexical, meaning, share: lexical,
    "vectors": lambda lexical, meaning, share: meaning,
    "hybrid": fused,
}


def ranked(snapshot: Snapshot, search: Search, question: Question, way: Scores) -> list[str]:
    """Names of the first ten things that have any score."""
    scores = way(*search.parts(question.text)).copy()
    rows = np.array([i for i, d in enumerate(snapshot.ids) if f":{question.schema}." in d])
    best = rows[np.argsort(-scores[rows], kind="stable")][:10]
    return [snapshot.document(row).name for row in best.tolist() if scores[row] > 0]


def figures(
    snapshot: Snapshot, embedding: Embedding, way: Scores, asked: list[Question]
) -> Figures:
    search = Search(snapshot, embedding)
    recall = gain = 0.0
    for question in asked:
        found = ranked(snapshot, search, question, way)
        recall += len(question.answers & set(found[:5])) / len(question.answers)
        dcg = sum(1 / math.log2(i + 2) for i, n in enumerate(found) if n in question.answers)
        ideal = sum(1 / math.log2(i + 2) for i in range(min(10, len(question.answers))))
        gain += dcg / ideal
    return Figures(recall / len(asked), gain / len(asked), len(asked))


def main() -> None:
    everything = questions()
    print(f"{len(everything)} questions, {sum(1 for _ in documents())} documents")
    print(f"{'embedding':<10}{'half':<13}{'way':<9}{'recall@5':>9}{'nDCG@10':>9}")
    for choice in ("static", *sys.argv[1:]):
        embedding = embedding_of(choice)
        try:
            snapshot = index(embedding)
        except (EtlError, OSError, ValueError) as error:
            print(f"{choice.partition(':')[0]:<10}not measured: {str(error).splitlines()[0]}")
            continue
        for half, final in (("development", False), ("final", True)):
            asked = [q for q in everything if q.final is final]
            for name, way in WAYS.items():
                found = figures(snapshot, embedding, way, asked)
                print(
                    f"{choice.partition(':')[0]:<10}{half:<13}{name:<9}"
                    f"{found.recall_at_5:>9.3f}{found.ndcg_at_10:>9.3f}"
                )


if __name__ == "__main__":
    main()
