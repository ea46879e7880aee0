"""A catalogue of 100,000 documents, and readers beside a writer.

``pytest -m stress etl_platform_tests/stress/test_catalogue_scale.py -s`` prints the figures.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_platform.catalog import Catalogue, Document, Search
from etl_platform.catalog.embeddings.static import StaticEmbedding

WORDS = tuple(
    """
    order customer price date invoice parcel address city country discount tax weight account stock
    balance employee salary phone product category warehouse return reason promotion store page
    visit session click device browser carrier flight delay weather wind airport region
    """.split()  # noqa: SIM905
)
READER = """
import sys, time
from pathlib import Path
from etl_platform.catalog import Catalogue, Search
from etl_platform.catalog.embeddings.static import StaticEmbedding
folder, until = Path(sys.argv[1]), Path(sys.argv[2])
embedding = StaticEmbedding()
done = 0
while not until.exists() or done < 20:
    snapshot = Catalogue(folder, embedding).snapshot()
    hits = Search(snapshot, embedding)("price of the order", 5)
    assert len(hits) == 5, hits
    done += 1
print(done)
"""


def table_documents(number: int, columns: int, note: str = "") -> Iterator[Document]:
    chosen = random.Random(number)
    table = f"s{number % 50}.t{number}"
    yield Document("table", table, "about", f"{' '.join(chosen.sample(WORDS, 4))} {note}", table)
    for column in range(columns):
        name = f"{table}.{chosen.choice(WORDS)}_{chosen.choice(WORDS)}_{column}"
        yield Document("column", name, "about", " ".join(chosen.sample(WORDS, 5)), table, "string")


def everything(tables: int, columns: int) -> Iterator[Document]:
    for number in range(tables):
        yield from table_documents(number, columns)


def changed(catalogue: Catalogue, count: int, columns: int, note: str) -> None:
    tables = [f"s{n % 50}.t{n}" for n in range(count)]
    found = (d for n in range(count) for d in table_documents(n, columns, note))
    done = catalogue.index(found, tables)
    assert (done.changed, done.added, done.removed) == (count, 0, 0)


def readers_beside_a_writer(catalogue: Catalogue, folder: Path, rounds: int) -> list[int]:
    """Searches that four processes made while another one indexed; all of them answered."""
    end = folder / "end"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(catalogue.folder), str(end)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for number in range(rounds):
        changed(catalogue, 5, 9, f"round {number}")
    end.touch()
    told = [reader.communicate(timeout=120) for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 4, told
    return [int(out) for out, _ in told]


def test_four_processes_search_while_one_indexes(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue", StaticEmbedding())
    catalogue.index(everything(50, 9))
    assert min(readers_beside_a_writer(catalogue, tmp_path, 8)) >= 20


@pytest.mark.stress
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_documents_are_searched_and_updated(tmp_path: Path) -> None:
    embedding = StaticEmbedding()
    catalogue = Catalogue(tmp_path / "catalogue", embedding)
    began = time.perf_counter()
    assert catalogue.index(everything(10_000, 9)).total == 100_000
    print(f"\nbuild of 100,000 documents: {time.perf_counter() - began:.1f} s")
    search = Search(catalogue.snapshot(), embedding)
    chosen, took = random.Random(1), []
    for _ in range(200):
        question = " ".join(chosen.sample(WORDS, 3))
        began = time.perf_counter()
        assert len(search(question)) == 10
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    print(f"warm query: median {took[100]:.1f} ms, p95 {took[190]:.1f} ms")
    environment = os.environ | {"ETL_CATALOG_DIR": str(catalogue.folder)}
    command = [str(Path(sys.executable).parent / "etl"), "search", "late flights", "--json"]
    cold: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        cold.append(time.perf_counter() - began)
    print(f"cold etl search: median {sorted(cold)[2]:.2f} s, worst {max(cold):.2f} s")
    for turn in ("first", "second"):
        began = time.perf_counter()
        changed(catalogue, 100, 9, turn)
        print(f"100 changed tables, {turn} time: {time.perf_counter() - began:.2f} s")
    done = readers_beside_a_writer(catalogue, tmp_path, 5)
    print(f"searches of 4 processes beside the writer: {done}, no error")
