from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from etl_platform.catalog.documents import Document
from etl_platform.catalog.embeddings import embedding_of
from etl_platform.catalog.embeddings.texts import document_vectors
from etl_platform.core.errors import ConfigError, TransientError


class Server(BaseHTTPRequestHandler):
    """Speaks ``POST /v1/embeddings``, answers out of order, and knows one key."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 200 if self.headers["Authorization"] == "Bearer open sesame" else 401
        if body["model"] == "broken":
            status = 503
        data = [
            {"index": i, "embedding": [3.0 * len(text), 4.0 * len(text)]}
            for i, text in enumerate(body["input"])
        ]
        answer = json.dumps({"data": data[::-1]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_a_server_gives_unit_vectors_in_the_order_of_the_texts(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "open sesame")
    embedding = embedding_of(f"{url}#small", "env://EMBEDDING_KEY")
    assert embedding.model == "http/small"
    assert np.allclose(embedding.embed(["a", "bbb"]), [[0.6, 0.8]] * 2)


def test_refusals_of_a_server_are_permanent_and_its_failures_are_not(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "open sesame")
    with pytest.raises(ConfigError, match="401"):
        embedding_of(f"{url}#small").embed(["a"])
    with pytest.raises(TransientError, match="503"):
        embedding_of(f"{url}#broken", "env://EMBEDDING_KEY").embed(["a"])
    with pytest.raises(TransientError, match="does not answer"):
        embedding_of("http://127.0.0.1:9/v1#small").embed(["a"])


def test_the_default_needs_no_network_and_gives_unit_vectors() -> None:
    vectors = embedding_of("static").embed(["customer", "client", "thunderstorm", ""])
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


@pytest.mark.parametrize("choice", ["statics", "sentence-transformers:", "http://server/v1"])
def test_an_unknown_choice_is_told_what_there_is(choice: str) -> None:
    with pytest.raises(ConfigError, match="sentence-transformers:NAME"):
        embedding_of(choice)


@pytest.mark.stress  # with the model, which is downloaded from elsewhere
def test_minilm_gives_the_similarities_that_its_authors_publish() -> None:
    folder = os.environ.get("MINILM_FOLDER")
    if folder is None:
        pytest.skip("MINILM_FOLDER names no folder with model.onnx and tokenizer.json")
    asked = ["That is a happy person", "That is a happy dog", "That is a very happy person"]
    vectors = embedding_of(f"minilm:{folder}").embed([*asked, "Today is a sunny day", ""])
    assert np.allclose(vectors @ vectors[0], [1, 0.695, 0.943, 0.257, 0], atol=1e-3)


def test_a_package_that_is_not_installed_is_told() -> None:
    if importlib.util.find_spec("sentence_transformers") is not None:
        pytest.skip("sentence-transformers is installed")
    with pytest.raises(ConfigError, match="pip install sentence-transformers"):
        embedding_of("sentence-transformers:all-mpnet-base-v2").embed(["a"])


def test_only_models_that_read_sentences_are_given_the_description_alone() -> None:
    class Counting:
        model = "counting"

        def __init__(self, *, reads_sentences: bool) -> None:
            self.reads_sentences = reads_sentences
            self.given: list[str] = []

        def embed(self, texts: Sequence[str]) -> np.ndarray:
            self.given += texts
            return np.eye(len(texts), 3, dtype=np.float32)

    document = Document("table", "shop.orders", "about", "What was bought", "shop.orders")
    for sentences, given in ((True, 2), (False, 1)):
        model = Counting(reads_sentences=sentences)
        assert document_vectors(model, [document]).shape == (1, 3)
        assert model.given == [document.searched, document.text][:given]


def test_a_folder_without_the_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model\.onnx"):
        embedding_of(f"minilm:{tmp_path}").embed(["a"])
