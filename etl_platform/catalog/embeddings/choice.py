"""Which model ``ETL_EMBEDDING`` names."""

from __future__ import annotations

from etl_platform.catalog.embeddings.http import HttpEmbedding
from etl_platform.catalog.embeddings.onnx import MiniLM
from etl_platform.catalog.embeddings.protocol import Embedding
from etl_platform.catalog.embeddings.sentence import SentenceTransformer
from etl_platform.catalog.embeddings.static import StaticEmbedding
from etl_platform.core.errors import ConfigError


def embedding_of(choice: str, key: str | None = None) -> Embedding:
    """The model that a setting names.

    Args:
        choice: ``static``, ``minilm``, ``minilm:FOLDER``, ``sentence-transformers:NAME`` or
            ``http(s)://server/v1#model``.
        key: secret reference to the API key of a server.

    Raises:
        ConfigError: there is no such choice.
    """
    kind, _, rest = choice.partition(":")
    if choice == "static":
        return StaticEmbedding()
    if kind == "minilm":
        return MiniLM(rest or None)
    if kind == "sentence-transformers" and rest:
        return SentenceTransformer(rest)
    if kind in ("http", "https") and "#" in rest:
        url, _, name = choice.partition("#")
        return HttpEmbedding(url, name, key)
    raise ConfigError(
        f"{choice!r} is no embedding",
        valid="static, minilm[:FOLDER], sentence-transformers:NAME, https://server/v1#model",
        fix="correct ETL_EMBEDDING",
    )
