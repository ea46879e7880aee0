"""The collection in Chroma: the records that everything else is made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from etl_platform.catalog.documents import Document
from etl_platform.core.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "etl_catalogue"
_BATCH = 2_000


class Store:
    """The documents, their vectors, and which model made them.

    Args:
        folder: of the local client; only one process may write to it at a time.
        url: of a Chroma server, instead.

    Raises:
        TransientError: the server does not answer.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        import chromadb
        from chromadb.config import Settings

        quiet = Settings(anonymized_telemetry=False)
        if url is None:
            self._client = chromadb.PersistentClient(str(folder), settings=quiet)
            return
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("ETL_CHROMA_URL is no address", valid="http(s)://host:port")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 8000)
        try:
            self._client = chromadb.HttpClient(parts.hostname, port, ssl=secure, settings=quiet)
        except ValueError as error:
            raise TransientError(f"the Chroma server does not answer: {error}") from None

    def model(self) -> tuple[str, int] | None:
        """Model and dimension of the collection; None when there is none."""
        found = [c for c in self._client.list_collections() if c.name == NAME]
        if not found:
            return None
        recorded = found[0].metadata or {}
        return str(recorded.get("model")), int(str(recorded.get("dimension", 0)))

    def drop(self) -> None:
        """Delete the collection, where there is one."""
        if self.model() is not None:
            self._client.delete_collection(NAME)

    def put(self, documents: Sequence[Document], vectors: NDArray[np.float32], model: str) -> None:
        """Write documents with their vectors.

        Raises:
            PermanentError: the collection is of another model or dimension: never mixed.
        """
        if not documents:
            return
        arriving = (model, int(vectors.shape[1]))
        recorded = self.model()
        if recorded is not None and recorded != arriving:
            raise PermanentError(
                f"the collection holds vectors of {recorded}, not of {arriving}",
                fix="etl catalog rebuild",
            )
        into: Any = self._client.get_or_create_collection(
            NAME,
            embedding_function=None,
            metadata={"model": model, "dimension": arriving[1], "hnsw:space": "cosine"},
        )
        for start in range(0, len(documents), _BATCH):
            batch = documents[start : start + _BATCH]
            into.upsert(
                ids=[d.id for d in batch],
                embeddings=vectors[start : start + _BATCH],
                documents=[d.searched for d in batch],
                metadatas=[_metadata(d) for d in batch],
            )

    def delete(self, ids: Sequence[str]) -> None:
        """Remove documents."""
        if not ids or self.model() is None:
            return
        of = self._client.get_collection(NAME, embedding_function=None)
        for start in range(0, len(ids), _BATCH):
            of.delete(ids=list(ids[start : start + _BATCH]))

    def all(self) -> Iterator[tuple[list[Document], NDArray[np.float32]]]:
        """Everything, in pages."""
        import numpy as np

        if self.model() is None:
            return
        of: Any = self._client.get_collection(NAME, embedding_function=None)
        offset = 0
        while True:
            page = of.get(limit=_BATCH, offset=offset, include=["metadatas", "embeddings"])
            if not page["ids"]:
                return
            offset += len(page["ids"])
            yield (
                [Document.of(str(m["body"])) for m in page["metadatas"]],
                np.asarray(page["embeddings"], dtype=np.float32),
            )


def _metadata(document: Document) -> dict[str, str]:
    found = {"body": document.body, "kind": document.kind, "name": document.name}
    if document.table:
        found["table"] = document.table
    return found
