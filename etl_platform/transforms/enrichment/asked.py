"""What a step asks of whom, in a form that is a part of the table's logic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from etl_platform.core.secrets import is_reference, redact
from etl_platform.lakehouse.origin import External
from etl_platform.lakehouse.receipt import Mode

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.transforms.segments import Segment

OPTION = "asked"
"""The option of a segment that holds what is asked."""


class _Who(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class OfDatabase(_Who):
    """A table of a database.

    Attributes:
        database: secret reference or URL without password.
        table: there, with its schema.
    """

    kind: Literal["database"] = "database"
    database: str
    table: str

    @property
    def address(self) -> str:
        """Where it is, or a reference to it."""
        return self.database

    @property
    def source(self) -> External:
        """Who is asked, without anything secret."""
        return External(_name(self.address, "database"), "database", self.table)


class OfApi(_Who):
    """A resource of an API over HTTP that answers with JSON.

    Attributes:
        connection: as ``ApiSourceComponent`` has it: base_url, auth, limits, retry.
        request: path, params, headers, body, select and pagination, as a table of
            ``ApiSourceComponent`` has them, with ``{key.NAME}`` where a key goes.
        keys_per_request: more than one are joined by commas; in a body they are a list.
    """

    kind: Literal["api"] = "api"
    connection: Mapping[str, Any]
    request: Mapping[str, JsonValue]
    keys_per_request: int = Field(default=1, ge=1, le=10_000)

    @property
    def address(self) -> str:
        """Where it is, or a reference to it."""
        return str(self.connection.get("base_url"))

    @property
    def source(self) -> External:
        """Who is asked, without anything secret."""
        return External(_name(self.address, "api"), "api", self.path)

    @property
    def path(self) -> str:
        """Below the address of the API."""
        return str(self.request.get("path"))


class OfFiles(_Who):
    """The files that a pattern means, each read whole.

    Attributes:
        location: a folder, ``s3://bucket/prefix``, or a secret reference to one of these.
        path: pattern of keys below it.
        connection: of a bucket, as ``FileSourceComponent`` has it.
        read: how they are read, such as ``format`` and ``csv``, where that has to be said.
    """

    kind: Literal["files"] = "files"
    location: str
    path: str
    connection: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    read: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    @property
    def address(self) -> str:
        """Where they are, or a reference to it."""
        return self.location

    @property
    def source(self) -> External:
        """Who is asked, without anything secret."""
        return External(_name(self.address, "files"), "files", self.path)


Who = Annotated[OfDatabase | OfApi | OfFiles, Field(discriminator="kind")]


class Asked(BaseModel):
    """A question to someone outside of the lake.

    Attributes:
        who: who is asked.
        on: own column to the other's.
        keys: the DuckDB type of each of the other's columns in ``on``, as the rows have it.
        columns: what is taken, with DuckDB types.
        expect: how many rows a key may have there.
        missing: what becomes of rows whose key is not there.
        refresh_s: seconds for which an answer is good; None asks in each run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Who
    on: Mapping[str, str]
    keys: Mapping[str, str]
    columns: Mapping[str, str]
    expect: Literal["many_to_one", "many_to_many"]
    missing: Literal["null", "fail", "drop"]
    refresh_s: float | None

    @property
    def source(self) -> External:
        """Who is asked, without anything secret."""
        return self.who.source

    @property
    def address(self) -> str:
        """Where that is, or a reference to it."""
        return self.who.address


def _name(address: str, otherwise: str) -> str:
    if is_reference(address) or "://" not in address:
        return (redact(address).rstrip("/").rpartition("/")[2] or otherwise).lower()
    parts = urlsplit(address)
    if parts.scheme in ("http", "https", "s3"):
        return (parts.hostname or otherwise).lower()
    return (redact(address).rpartition("/")[2] or otherwise).lower()


def asked_by(segment: Segment) -> Asked | None:
    """What a segment asks outside of the lake; None for other functions."""
    text = segment.options.get(OPTION)
    return Asked.model_validate_json(text) if isinstance(text, str) else None


def due(asked: Asked, current: Snapshot | None, now: datetime | None = None) -> str | None:
    """Why an answer has to be got anew though no table changed; None where the old one is good.

    Args:
        current: the newest version of the model's table, which holds the old answer.
        now: with a time zone; default: the clock's.
    """
    if current is None:
        return None
    who = f"{asked.source} is outside of the lake"
    if asked.refresh_s is None:
        return f"{who}: it is asked in each run"
    for commit in current.history():
        receipt = commit.receipt
        if receipt is None or receipt.committed_at is None or receipt.mode is Mode.COMPACT:
            continue
        age = (now or datetime.now(UTC)) - receipt.committed_at
        if age <= timedelta(seconds=asked.refresh_s):
            return None
        break
    return f"{who}: what it said is older than {asked.refresh_s:g} s"
