"""A secret that changes while a process runs is used from the next connection on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from etl_platform.core.errors import PermanentError
from etl_platform.instance_storage import POSTGRES_URL
from etl_platform.metastore import Metastore
from etl_platform.resources import DatabaseResource, StreamResource
from etl_platform_tests.servers.aws import AwsServer, KinesisServer
from etl_platform_tests.servers.postgres import PostgresServer

PROJECT = Path(__file__).parent.parent


@dataclass
class Account:
    """A user of a PostgreSQL that asks for passwords, and the secret that holds its URL."""

    server: PostgresServer
    user: str
    reference: str
    keep: Callable[[str], None]

    def rotate(self, *, lose_connections: bool = True) -> str:
        """Another password, in the database and then in the secret; returns it."""
        password = f"p@ss/{uuid4().hex}"
        with self.server.connect() as session:
            session.execute(f"ALTER ROLE {self.user} PASSWORD '{password}'".encode())
            if lose_connections:
                session.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    f"WHERE usename = '{self.user}'".encode()
                )
        self.keep(password)
        return password


@pytest.fixture(params=["file", "aws-secret"])
def account(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path: Path
) -> Iterator[Account]:
    user = f"rotated_{uuid4().hex[:8]}"
    hba = postgres_server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{before}")
    with postgres_server.connect() as session:
        session.execute(f"CREATE ROLE {user} LOGIN".encode())
        session.execute(f"CREATE DATABASE {user} OWNER {user}".encode())
        session.execute("SELECT pg_reload_conf()")

    def url(password: str) -> str:
        shown = sa.URL.create("postgresql", user, password, "127.0.0.1", postgres_server.port, user)
        return shown.render_as_string(hide_password=False)

    mounted = tmp_path / "url"
    reference, keep = f"file://{mounted}", lambda password: mounted.write_text(url(password))
    if request.param == "aws-secret":
        aws: AwsServer = request.getfixturevalue("aws_server")
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.address)
        client = aws.client("secretsmanager")
        client.create_secret(Name=user, SecretString="{}")
        reference = f"aws-secret://{user}#url"

        def keep(password: str) -> None:
            client.put_secret_value(SecretId=user, SecretString=json.dumps({"url": url(password)}))

    found = Account(postgres_server, user, reference, keep)
    found.rotate()
    yield found
    with postgres_server.connect() as session:
        session.execute(f"DROP DATABASE {user} WITH (FORCE)".encode())
        session.execute(f"DROP ROLE {user}".encode())
    hba.write_text(before)


def whoami(resource: DatabaseResource) -> tuple[str, int]:
    """Who is logged in, and over which session of the server."""
    with resource.database().session() as session:
        asked = session.execute(sa.text("SELECT current_user, pg_backend_pid()"))
        user, number = asked.one()
    return str(user), int(number)


@pytest.mark.postgres
def test_a_pool_is_left_when_its_password_was_rotated(account: Account) -> None:
    resource = DatabaseResource(name="shop", url=account.reference)
    user, first = whoami(resource)
    assert user == account.user
    assert whoami(resource) == (user, first)
    # Nothing ends the old sessions: none is handed out again all the same.
    account.rotate(lose_connections=False)
    user, second = whoami(resource)
    assert (user, second != first) == (account.user, True)
    resource.database().close()


@pytest.mark.postgres
@pytest.mark.parametrize("account", ["aws-secret"], indirect=True)
def test_the_metastore_connects_with_the_new_password(account: Account) -> None:
    metastore = Metastore.open(account.reference)
    assert metastore.receipts() == []
    account.rotate()
    assert metastore.receipts() == []
    metastore.close()


@pytest.mark.postgres
@pytest.mark.parametrize("account", ["file"], indirect=True)
def test_dagsters_own_storage_connects_with_the_new_password(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster import DagsterInstance

    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv(POSTGRES_URL, account.reference)
    with DagsterInstance.get() as instance:
        assert instance.get_runs_count() == 0
        account.rotate()
        assert instance.get_runs_count() == 0


@pytest.mark.postgres
@pytest.mark.parametrize("account", ["file"], indirect=True)
def test_a_password_that_no_longer_holds_is_told_without_showing_it(account: Account) -> None:
    resource = DatabaseResource(name="shop", url=account.reference)
    whoami(resource)
    password = account.rotate()
    account.keep("another-" + password)
    with pytest.raises(PermanentError, match="password authentication failed") as caught:
        whoami(resource)
    assert password not in str(caught.value)
    assert password not in repr(resource)
    account.keep(password)
    whoami(resource)
    resource.database().close()


def test_a_stream_is_asked_with_the_new_key(
    kinesis_server: KinesisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    name = kinesis_server.create()
    signed: list[str] = []
    sign = SigV4Auth.add_auth

    def noting(self: SigV4Auth, request: AWSRequest) -> None:
        signed.append(str(self.credentials.access_key))  # type: ignore[attr-defined]
        sign(self, request)

    monkeypatch.setattr(SigV4Auth, "add_auth", noting)
    key_id, key = tmp_path / "key_id", tmp_path / "key"
    key.write_text("test")
    connection = kinesis_server.options("s").model_dump(
        include={"region", "endpoint_url"}, exclude_none=True
    ) | {"access_key_id": f"file://{key_id}", "secret_access_key": f"file://{key}"}
    stream = StreamResource(kind="kinesis", connection=connection).stream(name)
    for rotated in ("FIRST", "SECOND"):
        key_id.write_text(rotated)
        stream.ends(10)
    stream.close()
    assert list(dict.fromkeys(signed)) == ["FIRST", "SECOND"]
