"""What others take for the same files: boto3, DuckDB, Polars, dlt.

DuckDB has no extension for S3 here (httpfs is a download), so it reads the bucket by s3fs, which it
takes as a file system, or after boto3 brought the files with 32 connections into a folder.
DuckDB and Polars only read; nothing is checked, kept or published by them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.file_data import (
    BUCKET,
    ENDPOINT,
    FILES,
    KEY_ID,
    KEYS,
    LISTED,
    REGION,
    REPLAY,
    ROWS,
    SECRET,
    boto_client,
    folder,
    fresh,
    parquet,
)
from benchmarks.measure import Operation

_CONNECTIONS = 32


def boto3_list(endpoint: str = ENDPOINT) -> Operation:
    """The paginator over all pages; what each of the keys is, is looked at."""
    client = boto_client(endpoint)
    bucket = os.environ[LISTED]

    def run() -> dict[str, float]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        found = sum(one["Size"] == 0 for page in pages for one in page["Contents"])
        assert found == KEYS, found
        return {"keys": found}

    return run


def raw_list(endpoint: str = ENDPOINT) -> Operation:
    """The same pages by bare requests over one connection: what the server takes."""
    import http.client
    import re
    from urllib.parse import quote, urlsplit

    place = urlsplit(os.environ[endpoint])
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port)
    path = f"/{os.environ[LISTED]}?list-type=2&prefix=&encoding-type=url"
    token = re.compile(rb"<NextContinuationToken>([^<]*)<")

    def run() -> dict[str, float]:
        found, more = 0, ""
        while True:
            connection.request("GET", path + more)
            body = connection.getresponse().read()
            found += body.count(b"<Contents>")
            following = token.search(body)
            if following is None:
                break
            more = "&continuation-token=" + quote(following.group(1).decode())
        assert found == KEYS, found
        return {"keys": found}

    return run


def boto3_list_replayed() -> Operation:
    """The paginator over the replay."""
    return boto3_list(REPLAY)


def raw_list_replayed() -> Operation:
    """Bare requests over the replay."""
    return raw_list(REPLAY)


def _rows(found: int) -> dict[str, float]:
    assert found == FILES * ROWS, found
    return {"rows": found}


def _count(con: Any, glob: str) -> int:
    con.execute("CREATE TABLE items AS SELECT * FROM read_csv(?)", [glob])
    return con.execute("SELECT count(*) FROM items").fetchall()[0][0]


def duckdb_local() -> Operation:
    """``read_csv`` of the glob into a table in memory."""
    import duckdb

    glob = f"{folder()}/**/*.csv"
    return lambda: _rows(_count(duckdb.connect(), glob))


def duckdb_s3fs() -> Operation:
    """The same from the bucket, by s3fs."""
    import duckdb

    tool: Any = __import__("s3fs")
    files = tool.S3FileSystem(
        key=KEY_ID,
        secret=SECRET,
        endpoint_url=os.environ[ENDPOINT],
        client_kwargs={"region_name": REGION},
    )
    con = duckdb.connect()
    con.register_filesystem(files)
    return lambda: _rows(_count(con, f"s3://{os.environ[BUCKET]}/in/**/*.csv"))


def duckdb_boto3() -> Operation:
    """The same after boto3 brought the files into a folder."""
    import duckdb

    target = fresh("duckdb_boto3")
    bucket = os.environ[BUCKET]
    client = boto_client(ENDPOINT, max_pool_connections=_CONNECTIONS)

    def fetch(key: str) -> None:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        (target / key.replace("/", "-")).write_bytes(body)

    def run() -> dict[str, float]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="in/")
        keys = [one["Key"] for page in pages for one in page["Contents"]]
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(fetch, keys))
        return _rows(_count(duckdb.connect(), f"{target}/*.csv"))

    return run


def polars_local() -> Operation:
    """``scan_csv`` of the glob, collected; dates recognised, as by the others."""
    import polars as pl

    glob = f"{folder()}/**/*.csv"
    return lambda: _rows(pl.scan_csv(glob, try_parse_dates=True).collect().height)


def polars_s3() -> Operation:
    """The same from the bucket, by Polars' own client."""
    import polars as pl

    options = {
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
        "aws_region": REGION,
        "aws_endpoint_url": os.environ[ENDPOINT],
        "aws_allow_http": "true",
    }
    glob = f"s3://{os.environ[BUCKET]}/in/**/*.csv"
    scanned = pl.scan_csv(glob, try_parse_dates=True, storage_options=options)
    return lambda: _rows(scanned.collect().height)


def _dlt(place: str, **credentials: object) -> Operation:
    import dlt  # pyright: ignore[reportMissingImports] # only in the peers' environment

    tool: Any = dlt
    source: Any = __import__("dlt.sources.filesystem", fromlist=["filesystem"])
    target = fresh("dlt")

    def run() -> dict[str, float]:
        found = source.filesystem(
            bucket_url=place, file_glob="**/*.csv", files_per_page=1000, **credentials
        )
        items = found | source.read_csv_duckdb(use_pyarrow=True)
        pipeline = tool.pipeline(
            "bench_files",
            destination=tool.destinations.duckdb(str(target / "dlt.duckdb")),
            dataset_name="bench",
            pipelines_dir=str(target / "pipelines"),
        )
        pipeline.run(items.with_name("items"), loader_file_format="parquet")
        return _rows(pipeline.last_trace.last_normalize_info.row_counts["items"])

    return run


def dlt_local() -> Operation:
    """dlt's filesystem source with DuckDB as the reader, Arrow all the way, into DuckDB."""
    return _dlt(str(folder()))


def dlt_s3() -> Operation:
    """The same from the bucket, by s3fs."""
    spec: Any = __import__("dlt.sources.credentials", fromlist=["AwsCredentials"])
    credentials = spec.AwsCredentials(
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        endpoint_url=os.environ[ENDPOINT],
        region_name=REGION,
    )
    return _dlt(f"s3://{os.environ[BUCKET]}/in", credentials=credentials)


def duckdb_copy() -> Operation:
    """``COPY (FROM read_parquet(...)) TO`` a file, in DuckDB's own form."""
    import duckdb

    source, target = parquet(), fresh("duckdb_copy") / "out.parquet"

    def run() -> dict[str, float]:
        copy = f"COPY (FROM read_parquet('{source}')) TO '{target}' (FORMAT parquet)"
        found = duckdb.connect().execute(copy).fetchall()[0][0]
        return {"rows": found}

    return run
