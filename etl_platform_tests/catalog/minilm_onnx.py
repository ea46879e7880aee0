"""all-MiniLM-L6-v2 as ONNX from weights that sentence-transformers stores, without PyTorch.

``python -m etl_platform_tests.catalog.minilm_onnx WEIGHTS FOLDER``
WEIGHTS holds ``model.safetensors`` and ``tokenizer.json``; needs the package ``onnx``. For machines
that cannot download Chroma's archive: ``ETL_EMBEDDING=minilm:FOLDER`` reads what it writes. The
graph is BERT's encoder (Devlin et al., 2019): 6 layers of 12 heads, 384 dimensions.
"""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
LEAST = -10_000.0  # added to the scores of what pads a text


class Graph:
    """Nodes and constants as they are added; each method returns the name of its output."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self._weights = weights
        self._onnx: Any = import_module("onnx")
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"{kind}_{len(self._nodes)}"
        made = self._onnx.helper.make_node(kind, list(inputs), [output], **attributes)
        self._nodes.append(made)
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants[name] = self._onnx.numpy_helper.from_array(value, name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name].astype(np.float32))

    def dense(self, x: str, name: str) -> str:
        turned = self._weights[f"{name}.weight"].astype(np.float32).T.copy()
        product = self.node("MatMul", x, self.constant(f"{name}.turned", turned))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def normed(self, x: str, name: str) -> str:
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def number(self, value: float) -> str:
        return self.constant(f"number_{value}", np.array(value, np.float32))

    def model(self, last: str) -> Any:
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        names = ("input_ids", "attention_mask", "token_type_ids")
        inputs = [helper.make_tensor_value_info(n, kinds.INT64, ["batch", "words"]) for n in names]
        output = helper.make_tensor_value_info(last, kinds.FLOAT, ["batch", "words", WIDTH])
        graph = helper.make_graph(
            self._nodes, "minilm", inputs, [output], list(self._constants.values())
        )
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def encoder(weights: dict[str, np.ndarray]) -> Any:
    """The model: token numbers -> the last hidden state."""
    of = Graph(weights)
    words = of.node("Gather", of.weight("embeddings.word_embeddings.weight"), "input_ids")
    kinds = of.node(
        "Gather", of.weight("embeddings.token_type_embeddings.weight"), "token_type_ids"
    )
    last = of.constant("last_axis", np.array([1], np.int64))
    length = of.node(
        "Slice", of.node("Shape", "input_ids"), last, of.constant("two", np.array([2]))
    )
    first = of.constant("zero", np.array([0], np.int64))
    positions = of.node(
        "Slice", of.weight("embeddings.position_embeddings.weight"), first, length, first
    )
    x = of.node("Add", of.node("Add", words, kinds), positions)
    x = of.normed(x, "embeddings.LayerNorm")
    absent = of.node("Sub", of.number(1), of.node("Cast", "attention_mask", to=1))
    axes = of.constant("axes", np.array([1, 2], np.int64))
    mask = of.node("Unsqueeze", of.node("Mul", absent, of.number(LEAST)), axes)
    for number in range(LAYERS):
        x = layer(of, x, mask, f"encoder.layer.{number}")
    return of.model(x)


def layer(of: Graph, x: str, mask: str, at: str) -> str:
    """Attention, then two dense layers, each with what came in added."""
    split = of.constant("split", np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    joined = of.constant("joined", np.array([0, 0, WIDTH], np.int64))

    def heads(name: str, order: list[int]) -> str:
        dense = of.dense(x, f"{at}.attention.self.{name}")
        return of.node("Transpose", of.node("Reshape", dense, split), perm=order)

    scores = of.node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
    scores = of.node("Mul", scores, of.number((WIDTH // HEADS) ** -0.5))
    shares = of.node("Softmax", of.node("Add", scores, mask), axis=-1)
    seen = of.node("MatMul", shares, heads("value", [0, 2, 1, 3]))
    seen = of.node("Reshape", of.node("Transpose", seen, perm=[0, 2, 1, 3]), joined)
    x = of.node("Add", x, of.dense(seen, f"{at}.attention.output.dense"))
    x = of.normed(x, f"{at}.attention.output.LayerNorm")
    wide = of.dense(x, f"{at}.intermediate.dense")
    error = of.node("Erf", of.node("Mul", wide, of.number(0.5**0.5)))
    half = of.node("Mul", wide, of.number(0.5))
    wide = of.node("Mul", half, of.node("Add", error, of.number(1)))
    x = of.node("Add", x, of.dense(wide, f"{at}.output.dense"))
    return of.normed(x, f"{at}.output.LayerNorm")


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    made = encoder(load_file(source / "model.safetensors"))
    (target / "model.onnx").write_bytes(made.SerializeToString())
    shutil.copy(source / "tokenizer.json", target)


if __name__ == "__main__":
    main()
