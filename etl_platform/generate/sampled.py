"""A sampled profile of whatever a URI or a name means: a database's table, files, or the lake's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.quality.sampling import SampledProfile, SampleSpec
    from etl_platform.sources.database import Database, SourceTable


def profile_source(
    source: str | Database | Lake, table: str | None = None, sample: SampleSpec | None = None
) -> SampledProfile:
    """Sample a table where it is, and estimate its profile from the sample.

    Args:
        source: a database, or the URI or secret reference of one; the path of a Parquet file or of
            a folder of them; or the lake.
        table: ``name`` or ``schema.name``; not for files.
        sample: how rows are drawn; default 20,000 rows at random, seed 0.

    Raises:
        UnknownName: there is no such table, with the nearest one.
        ConfigError: a table's name is missing, or there are no Parquet files.
        SourceUnavailable, PermanentError: as the source raises them.
    """
    from etl_platform.lakehouse import Lake
    from etl_platform.quality.sampling import SampleSpec, sample_files, sampled_profile
    from etl_platform.quality.sampling import sample as sample_database
    from etl_platform.sources.database import Database

    spec = sample or SampleSpec()
    if isinstance(source, str) and table is None:
        return sampled_profile(sample_files(_parquet_files(source), spec, source))
    if table is None:
        raise ConfigError("which table is to be profiled?", valid="name or schema.name")
    if isinstance(source, Lake):
        snapshot = source.snapshot(TableName.parse(table))
        source.root.fetch(snapshot.table, snapshot.files)
        uris = [file.uri for file in snapshot.files]
        return sampled_profile(sample_files(uris, spec, table, source.settings))
    if isinstance(source, Database):
        return sampled_profile(sample_database(source, _found(source, table), spec))
    database = Database("source", source)
    try:
        return profile_source(database, table, spec)
    finally:
        database.close()


def _found(database: Database, table: str) -> SourceTable:
    """The one table of this name; what its schema holds besides is looked at only when it is not.

    Brackets quote a character for shell patterns, in which a table's name may look like one.
    """
    from etl_platform.sources.database import reflect

    plain = "".join(f"[{c}]" if c in "*?[" else c for c in table)
    found = reflect(database, include=(plain,), views=True)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.full_name for one in found)
        raise ConfigError(f"table {table!r} is in several schemas", valid=names)
    known = [one.full_name for one in reflect(database, views=True)]
    raise UnknownName("table", table, known, where=database.name)


def _parquet_files(path: str) -> list[str]:
    if "://" in path or not Path(path).is_dir():
        return [path]
    found = sorted(str(file) for file in Path(path).rglob("*.parquet"))
    if not found:
        raise ConfigError(f"no Parquet file below {path}", valid="a *.parquet file or folder")
    return found
