"""A project whose every secret is a canary: what works, what fails, and the servers behind it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import sqlalchemy as sa
import yaml

from etl_platform_tests.canaries import Canaries
from etl_platform_tests.servers.postgres import PostgresServer

USER = "canary"


@contextmanager
def canaries_in(server: PostgresServer) -> Iterator[Canaries]:
    """Secrets, of which ``right`` lets its user into the server."""
    made = Canaries()
    hba = server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"host all {USER} 127.0.0.1/32 scram-sha-256\n{before}")
    with server.connect() as session:
        session.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{made('right')}'".encode())
        session.execute(f"CREATE DATABASE {USER} OWNER {USER}".encode())
        session.execute("SELECT pg_reload_conf()")
    yield made
    with server.connect() as session:
        session.execute(f"DROP DATABASE {USER} WITH (FORCE)".encode())
        session.execute(f"DROP ROLE {USER}".encode())
    hba.write_text(before)


def url_of(canaries: Canaries, name: str, port: int, kind: str = "postgresql") -> str:
    """A URL with a canary for its password."""
    made = sa.URL.create(kind, USER, canaries(name), "127.0.0.1", port, USER)
    return made.render_as_string(hide_password=False)


def environment(canaries: Canaries, port: int) -> dict[str, str]:
    """What the project's references point to, with a PostgreSQL at this port."""
    return {
        "RIGHT_URL": url_of(canaries, "right", port),
        "WRONG_URL": url_of(canaries, "wrong", port),
        "NOWHERE_URL": url_of(canaries, "nowhere", 1),
        "MYSQL_URL": url_of(canaries, "mysql", 1, "mysql"),
        "NO_URL": f"host=127.0.0.1 password={canaries('no_url')}",
        "UNQUOTED_URL": f"postgresql://{USER}:{canaries('unquoted')}@127.0.0.1:{port}/{USER}",
        "KAFKA_PASSWORD": canaries("kafka"),
    }


def source(schema: str, variable: str, **queries: Mapping[str, object]) -> Mapping[str, object]:
    return {
        "type": "etl_platform.DatabaseSourceComponent",
        "attributes": {
            "url": f"env://{variable}",
            "target_schema": schema,
            "defaults": {"profile": "off"},
            "queries": queries or {"rows": {"sql": "SELECT 1 AS id"}},
            "retry": {"attempts": 0},
        },
    }


def sink(name: str, variable: str) -> Mapping[str, object]:
    return {
        "type": "etl_platform.DatabaseSinkComponent",
        "attributes": {
            "url": f"env://{variable}",
            "name": name,
            "tables": {"rows": {"source": "good.rows"}},
            "retry": {"attempts": 0},
        },
    }


STREAM = {
    "type": "etl_platform.StreamSourceComponent",
    "attributes": {
        "target_schema": "clicked",
        "kafka": {
            "bootstrap_servers": "127.0.0.1:1",
            "security": {"sasl": {"username": "etl", "password": "env://KAFKA_PASSWORD"}},
        },
        "streams": {
            "clicks": {
                "decode": {"format": "json", "columns": {"id": "int64"}},
                "sensor": {"budget_s": 0.5},
            }
        },
        "compaction": {"enabled": False},
    },
}


REFUSED = {"rules": [{"rule": "range", "column": "id", "min": 10}]}
QUERIES = {
    "rows": {"sql": "SELECT 1 AS id"},
    "refused": {"sql": "SELECT 1 AS id", "contract": REFUSED},
    "broken": {"sql": "SELEC nothing"},
}
WAYS = {
    "wrong": "WRONG_URL",
    "nowhere": "NOWHERE_URL",
    "mysql": "MYSQL_URL",
    "no_url": "NO_URL",
    "unquoted": "UNQUOTED_URL",
}
"""Sources that fail, and the variables that their references name."""
FAILING_SINKS = ("wrong", "nowhere")


def write(folder: Path) -> None:
    """The components, below a folder of definitions."""
    components = {
        "good": source("good", "RIGHT_URL", **QUERIES),
        "good_sink": sink("good_sink", "RIGHT_URL"),
        "clicked": STREAM,
        **{name: source(name, variable) for name, variable in WAYS.items()},
        **{f"{name}_sink": sink(f"{name}_sink", WAYS[name]) for name in FAILING_SINKS},
    }
    for name, component in components.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "defs.yaml").write_text(yaml.safe_dump(dict(component)))


OK = ("good/rows", "good_sink/rows")
FAILING = (
    *(f"good/{name}" for name in QUERIES if name != "rows"),
    *(f"{name}/rows" for name in (*WAYS, *(f"{way}_sink" for way in FAILING_SINKS))),
)
OWN_ASSET = '''
import logging

import dagster as dg


@dg.asset(key=["own", "rows"], required_resource_keys={"good_database"})
def own_rows(context):
    """What people write themselves: a driver of their own, logs, and an error that tells all."""
    database = context.resources.good_database.database()
    url = database.url.render_as_string(hide_password=False)
    context.log.info("connecting to %s", url)
    logging.getLogger("own").warning("password is %s", database.url.password)
    try:
        raise ConnectionError(f"no connection with {database.url.password!r}")
    except ConnectionError as error:
        raise RuntimeError(f"cannot load from {url}") from error
'''
API_ASSETS = """
import os

import dagster as dg

from etl_platform.sources.api.messages import ApiRequest
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.transport import open_transport

WAYS = {
    "header": {"type": "api_key", "key": "env://API_SECRET"},
    "query": {"type": "api_key", "key": "env://API_SECRET", "place": "query", "name": "key"},
    "basic": {"type": "basic", "username": "etl", "password": "env://API_SECRET"},
    "bearer": {"type": "bearer", "token": "env://API_SECRET"},
}


def asked(way, path):
    @dg.asset(key=["api", f"{way}_{path}"])
    def ask():
        auth, address = WAYS[way], os.environ["API_ADDRESS"]
        options = ConnectionOptions.model_validate({"base_url": address, "auth": auth})
        transport = open_transport("canary", options)
        transport.send(ApiRequest(f"/{path}"))

    return ask


assets = [asked(way, path) for way in WAYS for path in ("refused", "elsewhere")]
"""
API_FAILING = tuple(
    f"api/{way}_{path}"
    for way in ("header", "query", "basic", "bearer")
    for path in ("refused", "elsewhere")
)


@contextmanager
def telling_api() -> Generator[str]:
    """An API that refuses, repeating what it was sent, or sends elsewhere; gives its address."""

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = f"{self.path} {dict(self.headers)}".encode()
            if self.path.startswith("/elsewhere"):
                self.send_response(302)
                self.send_header("Location", f"http://localhost:1{self.path}")
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *told: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Telling)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
