"""Very many objects: memory does not grow with them, and of bad ones each is told apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from etl_platform_tests.servers.s3 import S3Server

_LIST = """
import resource, sys
from pathlib import Path
from etl_platform.core.objects import S3Connection, open_store
endpoint, root, prefix = sys.argv[1:]
connection = S3Connection(
    region="eu-central-1",
    endpoint_url=endpoint or None,
    access_key_id="env://TEST_AWS_KEY_ID",
    secret_access_key="env://TEST_AWS_SECRET_KEY",
)
found, size, before = 0, 0, ""
for one in open_store(root, connection).list(prefix):
    assert before < one.key
    before, found, size = one.key, found + 1, size + one.size_bytes
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
print(found, size, int(peak.split()[1]), round(used.ru_utime + used.ru_stime, 2))
"""
KEYS = 100_000
_GROWTH_KIB = 12 << 10


def _listed(endpoint: str, root: str, prefix: str) -> tuple[int, int]:
    """Keys and peak memory in KiB of a process that lists them."""
    command = [sys.executable, "-c", _LIST, endpoint, root, prefix]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, size, peak, cpu_s = done.stdout.split()
    assert int(found) == int(size)
    print(f"{root.partition(':')[0]}: {int(found):,} keys, VmHWM {int(peak):,} KiB, {cpu_s} CPU s")
    return int(found), int(peak)


def _names(count: int) -> list[str]:
    return [f"{'few' if n < 2_000 else 'many'}/{n // 1_000:04d}/{n:07d}.csv" for n in range(count)]


@pytest.mark.stress
def test_memory_does_not_grow_with_the_keys_of_a_bucket(s3_server: S3Server) -> None:
    bucket = s3_server.bucket()
    s3_server.fill(bucket, _names(KEYS), "x")
    place = s3_server.aws.address, f"s3://{bucket}"
    few, some = _listed(*place, "few/")
    many, peak = _listed(*place, "")
    assert (few, many) == (2_000, KEYS)
    assert peak < some + _GROWTH_KIB


@pytest.mark.stress
def test_memory_does_not_grow_with_the_files_of_a_folder(tmp_path: Path) -> None:
    for name in _names(KEYS):
        path = tmp_path / name
        if name.endswith("000.csv"):
            path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    few, some = _listed("", str(tmp_path), "few/")
    many, peak = _listed("", str(tmp_path), "")
    assert (few, many) == (2_000, KEYS)
    assert peak < some + _GROWTH_KIB
