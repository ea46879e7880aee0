from __future__ import annotations

import csv
import io
import random

import pytest

from etl_platform.sources.files import CsvDialect
from etl_platform.sources.files.formats.csv import blocks as cutting
from etl_platform.sources.files.formats.csv.scanning import records

CELLS = ["a", "", 'q"q', '"', "x,y", "l\nb", "é", " ", "\r\n", "'", "\n\n"]


@pytest.mark.parametrize("seed", range(60))
def test_blocks_of_any_size_hold_the_records_that_were_written(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(cutting, "BLOCK_BYTES", chance.choice([1, 20, 200]))
    written = [[chance.choice(CELLS) for _ in range(3)] for _ in range(chance.randint(1, 60))]
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator=chance.choice(["\n", "\r\n"])).writerows(written)
    data, size = target.getvalue().encode(), chance.choice([1, 7, 64])
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    dialect = CsvDialect(",")
    found = [
        (record.line, list(record.fields))
        for block in cutting.blocks(pieces, dialect, "file")
        for record in records(block.data.decode(), dialect, block.line)
    ]
    assert [fields for _, fields in found] == written
    line = 1
    for (begun, _), row in zip(found, written, strict=True):
        assert begun == line
        line += 1 + sum(cell.count("\n") for cell in row)
