"""Rows of files by their keys: each file is read whole, and what nobody asked for is let go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.core.secrets import is_reference, resolve

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from etl_platform.core.objects import ObjectInfo, ObjectStore
    from etl_platform.sources.files.options import FileOptions
    from etl_platform.transforms.enrichment.asked import Asked, OfFiles


def check_files(who: OfFiles) -> None:
    """Let what is declared be wrong before anything is read.

    Raises:
        ConfigError: an option or the pattern is.
    """
    from pydantic import ValidationError

    from etl_platform.core.objects import S3Connection
    from etl_platform.sources.api.declared import said_wrong
    from etl_platform.sources.files.globs import glob

    _options(who)
    glob(who.path)
    try:
        S3Connection.model_validate(dict(who.connection))
    except ValidationError as error:
        raise ConfigError(f"files: connection: {said_wrong(error)}") from None


def _options(who: OfFiles) -> FileOptions:
    from pydantic import ValidationError

    from etl_platform.sources.api.declared import said_wrong
    from etl_platform.sources.files.options import FileOptions

    if twice := {"columns", "types"} & {*who.read}:
        raise ConfigError(
            f"files: read.{min(twice)} is not for here", fix="types stand in columns of the step"
        )
    try:
        return FileOptions.model_validate(dict(who.read))
    except ValidationError as error:
        raise ConfigError(f"files: read: {said_wrong(error)}") from None


def rows_of_files(asked: Asked, who: OfFiles, keys: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """The rows that have one of the keys: the other's key columns, then what is taken.

    Args:
        keys: the distinct ones, in the order of ``asked.on``; not empty.
        schema: of the answer.

    Raises:
        StoreUnavailable: a later try may succeed.
        PermanentError: there is no such file, one is damaged, or it lacks a column.
        SchemaMismatch: a value has no exact place in its column.
    """
    import polars as pl
    import pyarrow as pa

    options = _options(who)
    store = _store(who)
    found: list[pa.Table] = []
    files = 0
    wanted = keys.rename(dict(asked.on))
    for info in _meant(store, who.path):
        files += 1
        for batch in _batches(store, info, options, schema):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            kept = frame.join(wanted, on=wanted.columns, how="semi", maintain_order="left")
            if kept.height:
                found.append(kept.to_arrow().cast(schema))
    if not files:
        raise PermanentError(
            f"no file is meant by {who.path!r} below {store.uri}", fix="look at location and path"
        )
    return pa.concat_tables(found) if found else schema.empty_table()


def _store(who: OfFiles) -> ObjectStore:
    from etl_platform.core.objects import S3Connection, open_store

    place = resolve(who.location) if is_reference(who.location) else who.location
    return open_store(place, S3Connection.model_validate(dict(who.connection)))


def _meant(store: ObjectStore, pattern: str) -> Iterator[ObjectInfo]:
    from etl_platform.sources.files.globs import glob

    meant = glob(pattern)
    return (info for info in store.list(meant.prefix) if meant.matches(info.key))


def _batches(
    store: ObjectStore, info: ObjectInfo, options: FileOptions, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The columns of ``schema`` of a file that may have others."""
    import pyarrow as pa

    from etl_platform.sources.files.detection import detect
    from etl_platform.sources.files.inference import infer
    from etl_platform.sources.files.reading import read
    from etl_platform.sources.files.sampling import sample

    head = sample(store, info)
    form = detect(head, options)
    there = infer(head, form).schema
    for name in schema.names:
        if name not in there.names:
            raise PermanentError(f"{head.uri} has no column {name!r}", valid=", ".join(there.names))
    declared = {field.name: field for field in schema}
    whole = pa.schema([declared.get(field.name, field) for field in there])
    for batch in read(store, info, form, whole):
        yield batch.select(schema.names)
