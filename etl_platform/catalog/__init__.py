"""The semantic catalogue: what the lake holds, found by meaning and by words."""

from __future__ import annotations

from etl_platform.catalog.catalogue import Catalogue, Indexed
from etl_platform.catalog.collect import Described
from etl_platform.catalog.documents import KINDS, Document, Kind
from etl_platform.catalog.embeddings import Embedding, embedding_of
from etl_platform.catalog.search import Filters, Hit, Reader, Search

__all__ = [
    "KINDS",
    "Catalogue",
    "Described",
    "Document",
    "Embedding",
    "Filters",
    "Hit",
    "Indexed",
    "Kind",
    "Reader",
    "Search",
    "embedding_of",
]
