"""Any model of the library sentence-transformers, which has to be installed for it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl_platform.catalog.embeddings.protocol import unit
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SentenceTransformer:
    """A model by its name on the hub or its folder."""

    reads_sentences = True

    def __init__(self, name: str) -> None:
        self.model = f"sentence-transformers/{name}"
        self._name = name
        self._loaded: Any = None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        if self._loaded is None:
            try:
                library = import_module("sentence_transformers")
            except ImportError:
                raise ConfigError(
                    f"{self.model!r} needs the package 'sentence-transformers'",
                    fix="pip install sentence-transformers, or another ETL_EMBEDDING",
                ) from None
            self._loaded = library.SentenceTransformer(self._name)
        return unit(np.asarray(self._loaded.encode(list(texts)), dtype=np.float32))
