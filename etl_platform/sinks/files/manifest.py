"""The one object that makes a version of an export visible, and names all of its files."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from etl_platform.core.errors import PermanentError
from etl_platform.core.objects import ObjectMissing, ObjectStore

MANIFEST = "_manifest.json"
DATA = "data"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExportedFile(_Part):
    """One file. ``path`` counts from the manifest's folder, ``size_bytes`` is as stored.

    Attributes:
        rows: None where text in several files was written at once: only their sum is known.
        partition: columns that are in the path and not in the file, as text; None is null.
    """

    path: str
    size_bytes: int
    rows: int | None = None
    partition: dict[str, str | None] = {}


class ExportedColumn(_Part):
    """A column with DuckDB's name of its type, those of ``partition_by`` included."""

    name: str
    type: str


class Retired(_Part):
    """The folder of a version that was replaced at that moment."""

    folder: str
    at: datetime


class Manifest(_Part):
    """A version of an export.

    Attributes:
        signature: of the rows and of how they are written.
        folder: where this version's files are.
        retired: versions whose files may still be there.
    """

    layout: Literal[1] = 1
    source: str
    source_version: int
    signature: str
    format: str
    compression: str
    delimiter: str | None = None
    columns: tuple[ExportedColumn, ...]
    partition_by: tuple[str, ...] = ()
    folder: str
    files: tuple[ExportedFile, ...]
    rows: int
    size_bytes: int
    written_at: datetime
    run_id: str | None = None
    retired: tuple[Retired, ...] = ()


def read_manifest(store: ObjectStore, folder: str) -> Manifest | None:
    """What is to be read at this moment; None before the first export.

    Raises:
        PermanentError: what stands there is not a manifest.
    """
    return read_with_etag(store, folder)[0]


def read_with_etag(store: ObjectStore, folder: str) -> tuple[Manifest | None, str | None]:
    """The manifest, and what it is replaced by as a condition."""
    key = f"{folder}/{MANIFEST}"
    while (info := store.head(key)) is not None:
        try:
            body = store.read(key)
        except ObjectMissing:
            return None, None
        again = store.head(key)
        if again is not None and again.etag == info.etag:
            return _parsed(body, f"{store.uri}/{key}"), info.etag
    return None, None


def _parsed(body: bytes, where: str) -> Manifest:
    try:
        return Manifest.model_validate_json(body)
    except ValidationError as error:
        raise PermanentError(
            f"{where} is not a manifest of an export: {error.error_count()} fields do not fit",
            fix="export to another folder, or remove the object",
        ) from error
