"""What every model of texts can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Embedding(Protocol):
    """A model that turns texts into unit vectors.

    Attributes:
        model: names the model and everything that decides its vectors; recorded with them.
        reads_sentences: whether more than the sum of the words counts.
    """

    @property
    def model(self) -> str: ...

    @property
    def reads_sentences(self) -> bool: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length 1 for each text (all zeros for one without any known word).

        Raises:
            TransientError: the model's server does not answer.
            ConfigError: the model is not there.
        """
        ...


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; rows of zeros stay."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
