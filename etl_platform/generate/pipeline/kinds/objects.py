"""A folder or a bucket -> a source of its tables: formats, partitions, what to beware of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.core.inert import prose
from etl_platform.core.names import to_identifier
from etl_platform.generate.pipeline.inert import exact
from etl_platform.generate.pipeline.model import Ask, Secret, Source
from etl_platform.generate.pipeline.yaml_text import At, Yaml

if TYPE_CHECKING:
    from etl_platform.generate.objects import ObjectsInspection, TableCandidate

TYPE = "etl_platform.FileSourceComponent"
_MOST_TOLD = 5


def describe(ask: Ask) -> Source:
    """List all objects, read the beginning of some of each table.

    Raises:
        ConfigError: there is no such place, or nothing there can be read.
        StoreUnavailable, PermanentError: as the store raises them.
    """
    from etl_platform.core.objects import S3Connection
    from etl_platform.generate.objects import inspect_objects, place_of

    given = {"region": ask.region, "endpoint_url": ask.endpoint_url}
    connection: dict[str, str] = {key: value for key, value in given.items() if value is not None}
    place = place_of(ask.uri, S3Connection.model_validate(connection))
    found = inspect_objects(place)
    readable = [one for one in found.tables if one.columns]
    if not readable:
        raise ConfigError(f"nothing below {ask.uri} can be read as a table")
    return _source(ask, found, readable, connection)


def _source(
    ask: Ask,
    found: ObjectsInspection,
    readable: Sequence[TableCandidate],
    connection: Mapping[str, str],
) -> Source:
    attributes: dict[str, Yaml] = {
        "target_schema": str(ask.existing.get("target_schema") or ask.name),
        "location": exact(found.location),
    }
    if connection:
        attributes["connection"] = {key: exact(value) for key, value in connection.items()}
    attributes["defaults"] = {
        "freshness": {"fail_after": "36h", "warn_after": "26h"},
        "bad_files": "quarantine",
    }
    files: dict[str, Yaml] = {}
    notes: dict[At, Sequence[str]] = {
        (): (
            f"{found.objects:,} objects as they were found. A sensor looks for new ones. What",
            "cannot be read, and rows that break a rule, are kept aside with the reason.",
        )
    }
    for one in readable:
        name = to_identifier(one.name)
        files[name] = _options(one)
        notes["attributes", "files", name] = _notes(one)
    attributes["files"] = files
    told = [
        f"left out: {prose(one.path)}: {'; '.join(map(prose, one.questions)) or 'unreadable'}"
        for one in found.tables
        if not one.columns
    ]
    told += [
        f"left aside: {one.objects:,} objects: {prose(one.reason)}" for one in found.left_aside
    ]
    secrets = (
        (Secret("AWS's own configuration", "keys that may list and read the bucket"),)
        if found.location.startswith("s3://")
        else ()
    )
    return Source(ask.name, TYPE, attributes, notes, secrets=secrets, told=tuple(told))


def _options(one: TableCandidate) -> dict[str, Yaml]:
    from etl_platform.generate.objects import declaration

    options: dict[str, Yaml] = {**declaration(one)}
    personal = sorted({column.pii for column in one.columns if column.pii})
    if personal:
        options["tags"] = {"pii": "-".join(personal)}
    never = [
        column.name
        for column in one.columns
        if column.null_share == 0 and column.confidence == 1 and to_identifier(column.name) != "_"
    ]
    folded = [to_identifier(column.name) for column in one.columns]
    rules: list[Yaml] = [
        {"rule": "not_null", "column": name, "action": "quarantine"}
        for name in never
        if folded.count(to_identifier(name)) == 1
    ]
    if rules:
        options["contract"] = {"rules": rules}
    return options


def _notes(one: TableCandidate) -> tuple[str, ...]:
    told = [f"{one.objects:,} object{'' if one.objects == 1 else 's'} when this was written"]
    told += [f"form: {form}" for form, _ in one.forms[:1]]
    told += [f"beware: {text}" for text in one.suspicions]
    told += [f"differs: {text}" for text in one.disagreements]
    told += [f"to declare: {text}" for text in one.questions]
    told += [f"cannot be read: {bad.key}: {bad.reason}" for bad in one.bad[:_MOST_TOLD]]
    told += [
        f"one partition for each {each.name}: partition: {{match: '(?:^|/){each.name}=([^/]+)/'}}"
        for each in one.partitions
        if each.hive
    ]
    personal = [f"{column.name} ({column.pii})" for column in one.columns if column.pii]
    if personal:
        told.append(f"personal data: {', '.join(personal)}")
    return tuple(told)
