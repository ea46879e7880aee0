"""Embeddings from a server that speaks OpenAI's ``POST /embeddings``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etl_platform.catalog.embeddings.protocol import unit
from etl_platform.core.errors import ConfigError, TransientError
from etl_platform.core.secrets import resolve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 128
_TIMEOUT_S = 30.0


class HttpEmbedding:
    """A model behind an address. Descriptions and names leave this machine: choose it knowingly.

    Args:
        url: up to ``/v1``.
        name: the model's name there.
        key: secret reference to the API key; None sends none.
    """

    reads_sentences = True

    def __init__(self, url: str, name: str, key: str | None = None) -> None:
        self.model = f"http/{name}"
        self._url = url.rstrip("/") + "/embeddings"
        self._name = name
        self._key = key

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import httpx
        import numpy as np

        headers = {"Authorization": f"Bearer {resolve(self._key)}"} if self._key else {}
        found: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            body = {"model": self._name, "input": batch}
            try:
                answer = httpx.post(self._url, json=body, headers=headers, timeout=_TIMEOUT_S)
            except httpx.TransportError as error:
                raise TransientError(f"the server of embeddings does not answer: {error}") from None
            if answer.status_code >= 500 or answer.status_code == 429:
                raise TransientError(f"the server of embeddings says {answer.status_code}")
            if answer.is_error:
                raise ConfigError(f"the server of embeddings refuses: {answer.status_code}")
            data = sorted(answer.json()["data"], key=lambda one: one["index"])
            found += [one["embedding"] for one in data]
        return unit(np.asarray(found, dtype=np.float32))
