"""Chroma's all-MiniLM-L6-v2: sentence embeddings of 384 dimensions, run by ONNX Runtime.

The mean of the last hidden states of a text's words, as the model's authors take it. The session is
our own: Chroma's wants files that no inference reads, and pads every text to 256 words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.catalog.embeddings.protocol import unit
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_FILES = ("model.onnx", "tokenizer.json")
_MOST_WORDS = 256
_BATCH = 64


class MiniLM:
    """The model that Chroma downloads when first used, or finds in a folder.

    Args:
        folder: holds ``model.onnx`` and ``tokenizer.json``; None is Chroma's own cache.
    """

    model = "all-MiniLM-L6-v2"
    reads_sentences = True

    def __init__(self, folder: str | None = None) -> None:
        self._given = folder

    @cached_property
    def _folder(self) -> Path:
        if self._given is None:
            return self._of_chroma()
        folder = Path(self._given)
        for name in _FILES:
            if not (folder / name).exists():
                raise ConfigError(
                    f"there is no {name} in {self._given!r}",
                    fix="unpack Chroma's onnx.tar.gz there",
                )
        return folder

    def _of_chroma(self) -> Path:
        import httpx
        from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2 as Onnx

        folder = Path(Onnx.DOWNLOAD_PATH) / Onnx.EXTRACTED_FOLDER_NAME
        if not all((folder / name).exists() for name in _FILES):
            download: Any = Onnx(preferred_providers=["CPUExecutionProvider"])
            try:
                download(["once"])
            except httpx.HTTPError as error:
                raise ConfigError(
                    f"the model {self.model} cannot be downloaded: {error}",
                    fix="unpack Chroma's onnx.tar.gz on this machine and set ETL_EMBEDDING="
                    "minilm:FOLDER, or use ETL_EMBEDDING=static, which needs no network",
                ) from error
        return folder

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        read = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        read.enable_truncation(_MOST_WORDS)
        read.enable_padding()
        return read

    @cached_property
    def _session(self) -> Any:
        from onnxruntime import InferenceSession

        return InferenceSession(
            str(self._folder / "model.onnx"), providers=["CPUExecutionProvider"]
        )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        found = np.zeros((len(texts), 384), dtype=np.float32)
        # Texts of similar length together: each batch is as wide as its longest text.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            found[rows] = self._means([texts[row] for row in rows])
        found[[row for row, text in enumerate(texts) if not text]] = 0
        return unit(found)

    def _means(self, texts: list[str]) -> NDArray[np.float32]:
        import numpy as np

        tokens = self._tokenizer.encode_batch_fast(texts)
        ids = np.array([one.ids for one in tokens], dtype=np.int64)
        mask = np.array([one.attention_mask for one in tokens], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states: NDArray[np.float32] = self._session.run(None, given)[0]
        weights = mask[:, :, None].astype(np.float32)
        return (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
