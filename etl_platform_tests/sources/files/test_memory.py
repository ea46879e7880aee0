from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

_READ = """
import resource, sys, time
from etl_platform.core.objects import LocalStore
from etl_platform.sources.files import detect, infer, read, sample
store = LocalStore(sys.argv[1])
info = store.head(sys.argv[2])
first = sample(store, info)
form = detect(first)
rows = sum(batch.num_rows for batch in read(store, info, form, infer(first, form).schema))
used = resource.getrusage(resource.RUSAGE_SELF)
print(rows, used.ru_maxrss // 1024, round(used.ru_utime + used.ru_stime, 1))
"""
_LINE = b'{"id": %d, "name": "name %d", "tags": ["a", "b"], "at": {"x": %d.5}}\n'


def _written(path: Path, size_bytes: int) -> int:
    """Write NDJSON until its text has that size, and return its number of lines."""
    lines = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        written = 0
        while written < size_bytes:
            part = b"".join(_LINE % (n, n % 997, n % 89) for n in range(lines, lines + 10_000))
            written += file.write(part)
            lines += 10_000
    return lines


def _read(path: Path) -> tuple[int, int, float]:
    command = [sys.executable, "-c", _READ, str(path.parent), path.name]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(answer[0]), int(answer[1]), float(answer[2])


@pytest.mark.stress
def test_memory_does_not_grow_with_compressed_ndjson(tmp_path: Path) -> None:
    large = int(float(os.environ.get("NDJSON_GB", "0.5")) * 1e9)
    peaks: list[int] = []
    for size in (50_000_000, large):
        lines = _written(tmp_path / "file.ndjson.gz", size)
        rows, peak, seconds = _read(tmp_path / "file.ndjson.gz")
        assert rows == lines
        peaks.append(peak)
        print(f"{size / 1e6:.0f} MB of text, {rows} rows: {peak} MiB at most, {seconds} CPU s")
    assert peaks[1] < peaks[0] * 1.3 + 50
