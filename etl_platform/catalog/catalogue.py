"""The catalogue of one lake: one writer at a time, any number of readers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.catalog.building import empty, following
from etl_platform.catalog.documents import Document
from etl_platform.catalog.embeddings import Embedding
from etl_platform.catalog.embeddings.texts import document_vectors
from etl_platform.catalog.snapshot import Snapshot, open_newest, write
from etl_platform.core.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from etl_platform.catalog.store import Store

_LOCK_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an indexing did, in documents."""

    added: int
    changed: int
    removed: int
    total: int
    rebuilt: bool


class Catalogue:
    """Documents, kept in Chroma and mapped for searching.

    Args:
        folder: holds the local Chroma, the generations and the lock.
        embedding: the model of the vectors.
        chroma_url: a server that keeps the records instead of a folder.
    """

    def __init__(self, folder: Path, embedding: Embedding, chroma_url: str | None = None) -> None:
        self.folder = folder
        self.embedding = embedding
        self._chroma_url = chroma_url

    @property
    def _generations(self) -> Path:
        return self.folder / "index"

    def snapshot(self) -> Snapshot:
        """What a search reads.

        Raises:
            ConfigError: nothing is indexed yet, or by another model.
        """
        found = open_newest(self._generations)
        if found is None:
            raise ConfigError("the catalogue is empty", fix="etl catalog refresh")
        if found.model != self.embedding.model:
            raise ConfigError(
                f"the catalogue was made by {found.model!r}, not by {self.embedding.model!r}",
                fix="etl catalog rebuild",
            )
        return found

    def newest(self) -> Snapshot | None:
        """The newest generation, of whatever model; None before the first."""
        return open_newest(self._generations)

    def index(
        self,
        documents: Iterable[Document],
        tables: Collection[str] | None = None,
        *,
        rebuild: bool = False,
    ) -> Indexed:
        """Make the catalogue say just what the documents say, and write only what differs.

        Args:
            documents: all there are, or all of ``tables``.
            tables: leave documents of other tables, and of none, as they are.
            rebuild: begin again; also done by itself when the model is another one.

        Raises:
            TransientError: another process has been writing for two minutes.
            ConfigError: another model was asked for with ``tables`` alone.
        """
        from filelock import FileLock, Timeout

        from etl_platform.catalog.store import Store

        wanted = {document.id: document for document in documents}
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "writer.lock", timeout=_LOCK_TIMEOUT_S):
                store = Store(self.folder / "chroma", self._chroma_url)
                return self._index(store, wanted, tables, rebuild=rebuild)
        except Timeout:
            raise TransientError("another process is writing the catalogue") from None

    def _index(
        self,
        store: Store,
        wanted: dict[str, Document],
        tables: Collection[str] | None,
        *,
        rebuild: bool,
    ) -> Indexed:
        before, rebuild = self._before(store, rebuild=rebuild)
        if rebuild and tables is not None:
            raise ConfigError(
                "the catalogue has to be made anew from all tables", fix="etl catalog rebuild"
            )
        if rebuild:
            store.drop()
        known = dict(zip(before.ids, before.fingerprints, strict=True))
        fresh = [d for i, d in wanted.items() if known.get(i) != d.fingerprint]
        gone = [i for i in self._scope(before, tables) if i not in wanted]
        if fresh or gone or rebuild:
            vectors = document_vectors(self.embedding, fresh)
            store.put(fresh, vectors, self.embedding.model)
            store.delete(gone)
            before = following(before, gone, fresh, vectors)
            write(self._generations, before)
        changed = sum(document.id in known for document in fresh)
        return Indexed(len(fresh) - changed, changed, len(gone), len(before), rebuild)

    def _before(self, store: Store, *, rebuild: bool) -> tuple[Snapshot, bool]:
        """What to go on from, and whether that is nothing."""
        model = self.embedding.model
        recorded = store.model()
        if rebuild or (recorded is not None and recorded[0] != model):
            return empty(model), True
        found = open_newest(self._generations)
        if recorded is not None and found is not None and found.model == model:
            return found, False
        # The records are in Chroma: written by another machine, or the generations are lost.
        found = empty(model)
        for documents, vectors in store.all():
            found = following(found, (), documents, vectors)
        return found, recorded is None

    @staticmethod
    def _scope(before: Snapshot, tables: Collection[str] | None) -> Sequence[str]:
        if tables is None:
            return before.ids
        found: list[str] = []
        for table in tables:
            number = before.numbers.get(f"=table={table}")
            if number is not None:
                found += [before.ids[row] for row in before.inverted.postings(number)[0].tolist()]
        return found
