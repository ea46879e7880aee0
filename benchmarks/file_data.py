"""What the benchmarks of files read: small CSV files, in a folder and a bucket, and large Parquet.

The bucket is moto's, in a process of its own: its work per request is Python's, and the same for
all who ask. Where it is, the measured processes are told by environment variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import DATA

FILES, ROWS = int(os.environ.get("BENCH_FILES", "10_000")), 100
KEYS = int(os.environ.get("BENCH_KEYS", "100_000"))
SCALE = os.environ.get("BENCH_PARQUET_SCALE", "4.4")
"""TPC-H's lineitem at 4.4 is 26 million rows, and 1.08 GB of Parquet in snappy."""
FOLDER = (DATA / "files").absolute()
CSV = FOLDER / f"csv-{FILES}"
ENDPOINT, REPLAY, BUCKET, LISTED = (
    f"ETL_BENCH_S3_{name}" for name in ("ENDPOINT", "REPLAY", "BUCKET", "LISTED")
)
KEY_ID, SECRET, REGION = "test", "test", "eu-central-1"


def text(number: int) -> str:
    """One file: a header and its rows, no two of them the same."""
    lines = [
        f"{row},customer {row % 997},{row % 10_007 / 7:.2f},"
        f"2026-{row % 12 + 1:02d}-{row % 28 + 1:02d} {row % 24:02d}:{row % 60:02d}:00,"
        f"{'true' if row % 3 else 'false'},note {row * 7919 % 65_537:x}\n"
        for row in range(number * ROWS, (number + 1) * ROWS)
    ]
    return "id,customer,amount,ordered_at,shipped,note\n" + "".join(lines)


def small_files() -> Iterator[tuple[str, str]]:
    """Keys and texts."""
    for number in range(FILES):
        yield f"{number // 1000:03d}/orders-{number:06d}.csv", text(number)


def folder() -> Path:
    """The small files on disk, made when they are missing."""
    if not (CSV / "whole").exists():
        for key, content in small_files():
            path = CSV / "in" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (CSV / "whole").touch()
    return CSV / "in"


def parquet() -> Path:
    """The large file, made when it is missing."""
    target = FOLDER / f"parquet-{SCALE}"
    file = target / "lineitem.parquet"
    if not file.exists():
        tool = Path(sys.executable).parent / "tpchgen-cli"
        command = [str(tool), "parquet", "--scale-factor", SCALE, "--tables", "lineitem"]
        command += ["--output-dir", str(target)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return file


@contextmanager
def buckets() -> Generator[None]:
    """A server with the small files in one bucket and many keys in another."""
    from benchmarks.listing_replay import replaying
    from etl_platform_tests.servers.s3 import serving

    with serving() as server, replaying(server.aws.address) as replay:
        bucket, listed = server.bucket(), server.bucket()
        for key, content in small_files():
            server.fill(bucket, ["in/" + key], content)
        server.fill(listed, [f"in/{n // 1000:04d}/orders-{n:07d}.csv" for n in range(KEYS)])
        told = {
            ENDPOINT: server.aws.address,
            REPLAY: replay,
            BUCKET: bucket,
            LISTED: listed,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        os.environ |= told
        try:
            yield
        finally:
            for name in told:
                del os.environ[name]


def boto_client(endpoint: str, **config: object) -> Any:
    """boto3's client as it comes."""
    import boto3
    from botocore.config import Config

    settings: Any = {"s3": {"addressing_style": "path"}, **config}
    return boto3.client("s3", endpoint_url=os.environ[endpoint], config=Config(**settings))


def fresh(name: str) -> Path:
    """An empty folder for what a variant writes."""
    import shutil

    target = FOLDER / "out" / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    return target
