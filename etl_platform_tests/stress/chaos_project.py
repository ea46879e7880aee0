"""A project of sixty assets and a stream, whose servers and processes a test may harm.

Twenty-four tables of PostgreSQL, ten resources of an API, eight tables of files in a bucket and
eighteen models over them. What all sources say follows from a generation: a run after the next one
finds everything changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

from etl_platform_tests.servers.kafka import KafkaServer, Message
from etl_platform_tests.stress.victims import Victim

TABLES, RESOURCES, FILES, MODELS = 24, 10, 8, 18
ASSETS = TABLES + RESOURCES + FILES + MODELS
SCHEMAS = ("shop", "crm", "landing", "marts")
SELECTION = " or ".join(f'key:"{schema}/*"' for schema in SCHEMAS)
PACKAGE = "chaos_project"
JOB = "everything"
_ROWS, _RECORDS = 20_000, 300
_RETRY = "  retry: {attempts: 5, delay_s: 2}\n"
_DEFINITIONS = f"""
from pathlib import Path
import dagster as dg
from etl_platform.resources import LakeResource

@dg.definitions
def defs():
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    chosen = dg.AssetSelection.from_string('{SELECTION}')
    return dg.Definitions.merge(
        loaded,
        dg.Definitions(
            jobs=[dg.define_asset_job("{JOB}", chosen)],
            resources={{"lake": LakeResource()}},
            executor=dg.multiprocess_executor.configured({{"max_concurrent": 4}}),
        ),
    )
"""


def write(root: Path) -> None:
    """The project's files."""
    package = root / PACKAGE
    for place in (package, package / "defs"):
        place.mkdir(parents=True)
        (place / "__init__.py").touch()
    (package / "definitions.py").write_text(_DEFINITIONS)
    (root / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{PACKAGE}"\n'
        f'defs_module = "{PACKAGE}.defs"\n'
    )
    for name, text in _components().items():
        (package / "defs" / name).mkdir()
        (package / "defs" / name / "defs.yaml").write_text(text)
    models = package / "defs" / "marts" / "models"
    models.mkdir()
    for n in range(MODELS):
        (models / f"m{n:02}.sql").write_text(_model(n))


def _components() -> dict[str, str]:
    tables = "".join(
        f"    t{n:02}: {{contract: {{rules: [{{rule: unique, column: id}}]}}}}\n"
        for n in range(TABLES)
    )
    resources = "".join(
        f"    r{n:02}: {{path: /r{n:02}, primary_key: [id]}}\n" for n in range(RESOURCES)
    )
    files = "".join(
        f"    f{n:02}: {{path: 'f{n:02}/*.csv', deleted: remove}}\n" for n in range(FILES)
    )
    return {
        "shop": "type: etl_platform.DatabaseSourceComponent\nattributes:\n"
        f"  url: env://CHAOS_DATABASE\n  target_schema: shop\n{_RETRY}"
        f"  tables:\n{tables}",
        "crm": "type: etl_platform.ApiSourceComponent\nattributes:\n  target_schema: crm\n"
        f"  connection: {{base_url: env://CHAOS_API, retry: {{total_s: 20}}}}\n{_RETRY}"
        f"  resources:\n{resources}",
        "landing": "type: etl_platform.FileSourceComponent\nattributes:\n  target_schema: landing\n"
        "  location: env://CHAOS_BUCKET\n  connection:\n    region: eu-central-1\n"
        "    endpoint_url: env://CHAOS_S3\n    access_key_id: env://CHAOS_S3_KEY\n"
        f"    secret_access_key: env://CHAOS_S3_SECRET\n{_RETRY}"
        f"  files:\n{files}",
        "marts": "type: etl_platform.SqlModelsComponent\nattributes:\n  folder: models\n"
        f"  target_schema: marts\n{_RETRY}",
        "live": "type: etl_platform.StreamSourceComponent\nattributes:\n"
        "  kafka: {bootstrap_servers: 'env://CHAOS_KAFKA'}\n  target_schema: live\n"
        f"{_RETRY}  compaction: {{enabled: false}}\n  streams:\n    events:\n"
        "      decode: {format: json, columns: {id: {type: int64, required: true}}}\n"
        "      batch: {max_rows: 5000}\n      sensor: {every_s: 5, give_up_after: 2m}\n",
    }


def _model(n: int) -> str:
    first, second = n % TABLES, (n * 7 + 3) % TABLES
    if n % 3 == 0:
        return (
            f"SELECT a.day, count(*) AS n, sum(a.amount) AS total, max(b.amount) AS top\n"
            f"FROM shop.t{first:02} AS a JOIN shop.t{second:02} AS b ON a.id = b.id\n"
            "GROUP BY a.day\n"
        )
    if n % 3 == 1:
        return (
            f"SELECT t.id, t.amount, r.name, f.note FROM shop.t{first:02} AS t\n"
            f"LEFT JOIN crm.r{n % RESOURCES:02} AS r ON r.id = t.id\n"
            f"LEFT JOIN landing.f{n % FILES:02} AS f ON f.id = t.id\nWHERE t.id < 1000\n"
        )
    return f"SELECT count(*) AS n FROM marts.m{n - 2:02} CROSS JOIN marts.m{n - 1:02}\n"


@dataclass
class Sources:
    """Everything that the project reads, where clients reach it, at some generation."""

    database: Victim
    api: Api
    bucket: str
    s3: Any
    kafka: KafkaServer
    topic: str
    generation: int = 0
    produced: int = 0

    def advance(self) -> None:
        """Everything says something else."""
        self.generation += 1
        g = self.generation
        with psycopg.connect(self.database.url) as session:
            for n in range(TABLES):
                session.execute(f"DROP TABLE IF EXISTS t{n:02}")
                session.execute(
                    f"CREATE TABLE t{n:02} AS SELECT i AS id, DATE '2024-01-01' + (i + {g}) % 30 "
                    f"AS day, ((i::bigint * {n + 1} + {g}) % 1000)::numeric(12, 2) AS amount, "
                    f"md5((i + {g})::text) AS note FROM generate_series(1, {_ROWS} + {g}) i"
                )
                session.execute(f"ALTER TABLE t{n:02} ADD PRIMARY KEY (id)")
        self.api.generation = g
        for n in range(FILES):
            rows = "".join(f"{i},{g * i},file {n} of {g}\n" for i in range(500 + g))
            self.s3.put_object(
                Bucket=self.bucket,
                Key=f"f{n:02}/{g:03}.csv",
                Body=f"id,value,note\n{rows}".encode(),
            )
            if g > 1:
                self.s3.delete_object(Bucket=self.bucket, Key=f"f{n:02}/{g - 1:03}.csv")
        self.produce(4_000)

    def produce(self, count: int) -> None:
        """More messages, numbered on."""
        numbers = range(self.produced, self.produced + count)
        self.kafka.produce(
            self.topic, [Message(json.dumps({"id": n}).encode(), None, n % 4) for n in numbers]
        )
        self.produced += count


class Api(ThreadingHTTPServer):
    """Each resource is a list of records."""

    daemon_threads = True
    generation = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def do_GET(self) -> None:
        g = self.server.generation
        records = [{"id": i, "name": f"{self.path[1:4]} {i} of {g}"} for i in range(_RECORDS + g)]
        body = json.dumps(records).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving_api() -> Generator[Api]:
    with Api() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()


def environment(root: Path, home: Path, disk: Path, sources: Mapping[str, str]) -> dict[str, str]:
    """Of every process of the project: Dagster's home, and lake, records and drafts on a disk."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ETL_", "DAGSTER_"))}
    return kept | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(root),
        "ETL_LAKE_URI": str(disk / "lake"),
        "ETL_METASTORE_URL": f"sqlite:///{disk / 'metastore.db'}",
        "ETL_TEMP_DIR": str(disk / "tmp"),
        **sources,
    }


def program(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).with_name(name))


def command(
    root: Path, variables: Mapping[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the project to its end."""
    return subprocess.run(
        [program(words[0]), *words[1:]],
        cwd=root,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
