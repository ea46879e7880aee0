"""Static embeddings: the weighted mean of one vector per token, from a table of 16 MB.

The table and its tokenizer are those that the package ``wordllama`` brings (l2_supercat, 256
dimensions). They are read as files: its own loader looks for the tokenizer in a folder that it does
not install, and then downloads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.catalog.embeddings.protocol import unit
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_SPECIAL = 259  # Control tokens and single bytes stand first in Llama's vocabulary.


class StaticEmbedding:
    """Works on a fresh machine without a network; loads in about 0.1 s."""

    model = "wordllama/l2_supercat_256/zipf"
    reads_sentences = False

    @cached_property
    def _folder(self) -> Path:
        spec = find_spec("wordllama")
        if spec is None or spec.origin is None:
            raise ConfigError(
                "the default embedding needs the package 'wordllama'",
                fix="install wordllama, or set ETL_EMBEDDING to another model",
            )
        return Path(spec.origin).parent

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        read = Tokenizer.from_file(
            str(self._folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
        )
        read.no_padding()
        read.no_truncation()
        return read

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        """Token vectors times log(rank): tokens stand in the order of their frequency.

        Weighting by Zipf's law instead of counting is what model2vec does.
        """
        import numpy as np
        from safetensors import safe_open

        with safe_open(str(self._folder / "weights" / "l2_supercat_256.safetensors"), "np") as file:
            table: NDArray[np.float32] = file.get_tensor("embedding.weight").astype(np.float32)
        rank = np.arange(len(table)) - _SPECIAL
        table *= np.where(rank > 0, np.log1p(np.maximum(rank, 0)), 0.1).astype(np.float32)[:, None]
        return table

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        weights = self._weights
        found = np.zeros((len(texts), weights.shape[1]), dtype=np.float32)
        tokens = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        for row, encoded in enumerate(tokens):
            if encoded.ids:
                found[row] = weights[encoded.ids].sum(axis=0)
        return unit(found)
