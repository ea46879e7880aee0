"""Secrets through the demo, its servers and every failure: none is left, none is answered.

``CANARY_DEMO=0`` leaves the demo out, which takes most of the time.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest

from etl_platform_tests.canaries import Canaries
from etl_platform_tests.canary_project import (
    API_ASSETS,
    API_FAILING,
    FAILING,
    OK,
    OWN_ASSET,
    USER,
    canaries_in,
    environment,
    telling_api,
    url_of,
    write,
)
from etl_platform_tests.demo.working_copy import WorkingCopy
from etl_platform_tests.servers.aws import AwsServer
from etl_platform_tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.stress, pytest.mark.postgres, pytest.mark.timeout(1800)]

_PATIENCE_S = 300
_ROTATED = """
type: etl_platform.DatabaseSourceComponent
attributes:
  url: %s
  target_schema: %s
  queries: {rows: {sql: SELECT 1 AS id}}
  retry: {attempts: 0}
"""
_RESOURCES = """
import dagster as dg

from etl_platform.resources import SecretsResource


@dg.definitions
def defs():
    secrets = SecretsResource(
        region_name="eu-central-1",
        endpoint_url=%r,
        aws_access_key_id="env://THE_KEY_ID",
        aws_secret_access_key="env://THE_KEY",
    )
    return dg.Definitions(resources={"secrets": secrets})
"""
_LAUNCH = """mutation($given: ExecutionParams!) { launchRun(executionParams: $given) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on InvalidSubsetError { message } } }"""
_RUNS = """{ runsOrError { ... on Runs { results {
  runId status runConfigYaml tags { key value } stats { __typename }
  eventConnection { events { __typename
    ... on MessageEvent { message }
    ... on ErrorEvent { error { message stack errorChain { error { message stack } } } }
    ... on LogsCapturedEvent { fileKey }
    ... on MaterializationEvent { metadataEntries { __typename label description
      ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr }
      ... on JsonMetadataEntry { jsonString } } } } } } } } }"""
_DEFINITIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus
    locationOrLoadError { __typename
      ... on PythonError { message stack errorChain { error { message stack } } }
      ... on RepositoryLocation { repositories { name
        allTopLevelResourceDetails { name description configuredValues { key value type }
          configFields { name description defaultValueAsJson } }
        assetNodes { assetKey { path } description metadataEntries { __typename label
          ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } } }
        sensors { name sensorState { status ticks { status skipReason error { message stack } } } }
      } } } } } } }"""
_INSTANCE = "{ instance { info executablePath daemonHealth { allDaemonStatuses { daemonType \
lastHeartbeatErrors { message stack } } } } version }"
_RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "etl_platform") {
  __typename ... on WorkspaceLocationEntry { locationOrLoadError { __typename
    ... on PythonError { message stack errorChain { error { message stack } } } } } } }"""
_CAPTURED = """query($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"""


@dataclass
class Ui:
    """Dagster's web server; every byte that it answered is kept."""

    url: str
    answers: list[bytes] = field(default_factory=list)

    def ask(self, query: str, **variables: object) -> Any:
        """GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        answer = json.loads(self._kept(request))
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def get(self, path: str) -> None:
        """Any other page."""
        self._kept(Request(f"{self.url}{path}", headers={"Accept-Encoding": "identity"}))

    def launch(self, *keys: str) -> str:
        selector = {
            "repositoryLocationName": "etl_platform",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": key.split("/")} for key in keys],
        }
        given = {"selector": selector, "mode": "default", "runConfigData": {}}
        told = self.ask(_LAUNCH, given=given)["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return str(told["run"]["runId"])

    def wait(self, run_id: str) -> str:
        """The status that a run ends with."""
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            status = str(self.ask(query, id=run_id)["runOrError"]["status"])
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.5)

    def _kept(self, request: Request) -> bytes:
        try:
            with urlopen(request, timeout=_PATIENCE_S) as answer:
                found: bytes = answer.read()
        except HTTPError as error:
            found = error.read()
        self.answers.append(found)
        if found.startswith(b"\x1f\x8b"):
            with suppress(OSError, EOFError):
                self.answers.append(gzip.decompress(found))
        return found


@dataclass(frozen=True)
class Copy(WorkingCopy):
    """A working copy with an environment of its own."""

    given: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | dict(self.given)


@dataclass(frozen=True)
class Surroundings:
    """A working copy whose metastore is a PostgreSQL with a canary for its password."""

    copy: WorkingCopy
    server: PostgresServer
    canaries: Canaries
    aws: Any
    mounted: Path

    def rotate(self, name: str) -> None:
        """The user's password, and every place that holds it, but what processes already have."""
        with self.server.connect() as session:
            session.execute(f"ALTER ROLE {USER} PASSWORD '{self.canaries(name)}'".encode())
            session.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"
            )
        url = url_of(self.canaries, name, self.server.port)
        self.mounted.write_text(url)
        self.aws.put_secret_value(SecretId="canary", SecretString=json.dumps({"url": url}))


@pytest.fixture
def surroundings(
    postgres_server: PostgresServer,
    aws_server: AwsServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Surroundings]:
    aws = aws_server.client("secretsmanager")
    with canaries_in(postgres_server) as canaries, telling_api() as address:
        aws.create_secret(Name="canary", SecretString="{}")
        mounted = tmp_path / "mounted"
        given = environment(canaries, postgres_server.port) | {
            "API_ADDRESS": address,
            # Headers take no other letters.
            "API_SECRET": canaries.plain("api"),
            "THE_KEY_ID": canaries.plain("key_id"),
            "THE_KEY": canaries.plain("key"),
            "ETL_METASTORE_URL": f"file://{mounted}",
        }
        root = tmp_path / "copy"
        root.mkdir()
        copy = Copy(WorkingCopy.make(root).root, given=given)
        found = Surroundings(copy, postgres_server, canaries, aws, mounted)
        found.rotate("right")
        yield found
        aws.delete_secret(SecretId="canary", ForceDeleteWithoutRecovery=True)


def test_no_secret_is_left_or_answered_by_the_demo_its_servers_and_every_failure(
    surroundings: Surroundings,
) -> None:
    copy, canaries = surroundings.copy, surroundings.canaries
    printed: list[str] = []
    if os.environ.get("CANARY_DEMO") != "0":
        printed.append(copy.run("python", "-m", "etl_platform.demo"))
    defs = copy.root / "etl_platform" / "defs"
    write(defs)
    (defs / "own.py").write_text(OWN_ASSET)
    (defs / "api_assets.py").write_text(API_ASSETS)
    (defs / "secrets.py").write_text(_RESOURCES % surroundings.aws.meta.endpoint_url)
    for name, reference in {
        "by_file": f"file://{surroundings.mounted}",
        "by_aws": "aws-secret://canary#url",
    }.items():
        (defs / name).mkdir()
        (defs / name / "defs.yaml").write_text(_ROTATED % (reference, name))
    workspace = ("-w", "workspace.yaml")
    port = _free_port()
    with ExitStack() as services:
        address = ("-h", "127.0.0.1", "-p", str(port))
        server = services.enter_context(copy.serving("dagster-webserver", *address, *workspace))
        ui = Ui(f"http://127.0.0.1:{port}")
        _wait_until_up(ui, server, copy.root / "dagster-webserver.log")
        # Not before: both would make the files of a new Dagster home.
        services.enter_context(copy.serving("dagster-daemon", "run", *workspace))
        ran = _run_everything(ui, surroundings)
        _look_at_everything(ui)
        printed += _refused_commands(surroundings)
        _refuse_a_literal(ui, defs, canaries)
        _look_at_everything(ui)
    answered = b"\n".join(ui.answers)
    for told in (
        b"password authentication failed",  # a source that is refused
        b"cannot load from ***",  # what a user's own code tells
        b"at 127.0.0.1:1: ",  # a stream's sensor
        b'"stderr":"',  # compute logs
    ):
        assert told in answered, told
    assert canaries.found_in("\n".join(printed).encode()) == set()
    assert canaries.found_in(answered) == set()
    # The environment of the test itself is in no file; what was mounted is the secret.
    left = canaries.found_below(copy.home, copy.root / ".etl", copy.root / ".demo")
    assert left == set()
    for log in copy.root.glob("*.log"):
        assert canaries.found_in(log.read_bytes()) == set(), log
    assert canaries.found_in(_rows_of(surroundings)) == set()
    files = [p for p in copy.root.rglob("*") if p.is_file() and "etl_platform" not in p.parts]
    size = sum(path.stat().st_size for path in files)
    print(
        f"\n{len(ran)} runs, {len(ui.answers)} answers ({len(answered):,} bytes), "
        f"{len(files)} files ({size:,} bytes): none of {len(canaries)} canaries"
    )


def _run_everything(ui: Ui, around: Surroundings) -> list[str]:
    """Each failure in a run of its own kind, and a rotation between two runs that work."""
    failing = [ui.launch(*FAILING), ui.launch("own/rows"), ui.launch(*API_FAILING)]
    working = [ui.launch(*OK)]
    assert [ui.wait(one) for one in failing] == ["FAILURE"] * len(failing)
    rotated = [ui.launch("by_file/rows", "by_aws/rows")]
    assert [ui.wait(one) for one in (*working, *rotated)] == ["SUCCESS"] * 2
    around.rotate("second")
    again = ui.launch("by_file/rows", "by_aws/rows")
    assert ui.wait(again) == "SUCCESS"
    return [*failing, *working, *rotated, again]


def _look_at_everything(ui: Ui) -> None:
    runs = ui.ask(_RUNS)["runsOrError"]["results"]
    ui.ask(_DEFINITIONS)
    ui.ask(_INSTANCE)
    for path in ("/", "/server_info", "/runs", "/locations", "/assets"):
        ui.get(path)
    for run in runs:
        run_id = run["runId"]
        ui.get(f"/download_debug/{run_id}")
        keys = {e["fileKey"] for e in run["eventConnection"]["events"] if e.get("fileKey")}
        for key in sorted(keys):
            ui.ask(_CAPTURED, key=[run_id, "compute_logs", key])


def _refused_commands(around: Surroundings) -> list[str]:
    """What a terminal shows: the check of references, and a source that is asked in vain."""
    told: list[str] = []
    for words in (("etl", "secrets", "check", "--json"), ("dg", "utils", "refresh-defs-state")):
        try:
            told.append(around.copy.run(*words))
        except AssertionError as error:
            told.append(str(error))
    assert "aws-secret://canary#url" in told[0]
    return told


def _refuse_a_literal(ui: Ui, defs: Path, canaries: Canaries) -> None:
    """A definition with a credential in it, where it belongs and where it does not."""
    password = canaries.plain("literal")
    for name in ("url", "uri"):
        text = _ROTATED % (f"mysql://etl:{password}@127.0.0.1/shop", "refused")
        (defs / "refused").mkdir(exist_ok=True)
        (defs / "refused" / "defs.yaml").write_text(text.replace("  url:", f"  {name}:"))
        told = ui.ask(_RELOAD)["reloadRepositoryLocation"]
        assert told["locationOrLoadError"]["__typename"] == "PythonError", told
        ui.ask(_DEFINITIONS)


def _rows_of(around: Surroundings) -> bytes:
    """Every row of the metastore, and of the sink's database."""
    found: list[str] = []
    url = url_of(around.canaries, "second", around.server.port)
    with psycopg.connect(url.replace(" ", "%20")) as session:
        tables = session.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert tables
        for (table,) in tables:
            rows = session.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
            found += [str(row[0]) for row in rows]
    return "\n".join(found).encode()


def _wait_until_up(ui: Ui, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            ui.get("/server_info")
        except OSError:
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, "dagster-webserver does not answer"
            time.sleep(0.5)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
