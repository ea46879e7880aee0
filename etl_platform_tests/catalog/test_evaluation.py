from __future__ import annotations

from etl_platform.catalog.embeddings.static import StaticEmbedding
from etl_platform_tests.catalog.evaluation import WAYS, documents, figures, index, questions


def test_every_question_has_answers_that_there_are() -> None:
    known = {document.name for document in documents()}
    asked = questions()
    assert len(asked) >= 300
    assert [q for q in asked if not q.answers or not q.answers <= known] == []


def test_both_together_are_never_worse_than_the_better_one_alone() -> None:
    embedding = StaticEmbedding()
    snapshot = index(embedding)
    asked = [question for question in questions() if not question.final]
    found = {name: figures(snapshot, embedding, way, asked) for name, way in WAYS.items()}
    assert found["hybrid"].recall_at_5 >= max(
        found["bm25"].recall_at_5, found["vectors"].recall_at_5
    )
    assert found["hybrid"].ndcg_at_10 >= max(found["bm25"].ndcg_at_10, found["vectors"].ndcg_at_10)
