"""Texts as vectors: one protocol, several models. None is ever mixed with another."""

from __future__ import annotations

from etl_platform.catalog.embeddings.choice import embedding_of
from etl_platform.catalog.embeddings.protocol import Embedding

__all__ = ["Embedding", "embedding_of"]
