"""``etl inspect`` of a bucket or a folder, as text, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import typer

from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from etl_platform.generate.objects import Estimate, ObjectsInspection, TableCandidate

_OPEN = "open"
_SHOWN_BAD = 5


def show_objects(
    address: str,
    connection: Mapping[str, str | None],
    most_tables: int,
    html: str | None,
    *,
    as_json: bool,
    as_yaml: bool,
) -> None:
    """Inspect a place and print what it offers.

    Raises:
        ConfigError: there is no such place, or the page cannot be written.
    """
    from etl_platform.cli.progress import busy
    from etl_platform.core.objects import S3Connection
    from etl_platform.generate.objects import component_yaml, inspect_objects, place_of

    place = place_of(address, S3Connection.model_validate(connection))
    with busy(f"looking at {address}"):
        found = inspect_objects(place, most_tables)
    if html is not None:
        _page(found, html)
    elif as_yaml:
        typer.echo(component_yaml(found, connection), nl=False)
    elif as_json:
        _json(found)
    else:
        _text(found)


def _json(found: ObjectsInspection) -> None:
    from etl_platform.cli.printing import print_json
    from etl_platform.generate.objects import declaration

    # A profile knows better than ``asdict`` what of it is for people.
    bare = replace(found, tables=tuple(replace(one, profile=None) for one in found.tables))
    told = asdict(bare)
    for table, one in zip(told["tables"], found.tables, strict=True):
        table["component"] = declaration(one)
        table["profile"] = None if one.profile is None else json.loads(one.profile.to_json())
    print_json(told)


def _page(found: ObjectsInspection, html: str) -> None:
    from etl_platform.generate.objects.page import page_html

    file = Path(mkdtemp(prefix="etl-inspect-")) / "inspection.html" if html == _OPEN else Path(html)
    try:
        file.write_text(page_html(found), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write {file}: {error.strerror}", fix="name a file in a folder that exists"
        ) from error
    typer.echo(str(file))
    if html == _OPEN:
        typer.launch(str(file))


def _text(found: ObjectsInspection) -> None:
    from etl_platform.cli.printing import print_table, printable, size

    print_table(
        [
            ("table", "left"),
            ("objects", "right"),
            ("size", "right"),
            ("form", "left"),
            ("rows", "right"),
            ("read in", "right"),
            ("quality", "right"),
            ("keys", "left"),
        ],
        [
            (
                one.name,
                one.objects,
                size(one.size_bytes),
                one.forms[0][0] if one.forms else "",
                _rows(one.estimate),
                _duration(one.estimate.seconds) if one.estimate else "",
                f"{one.quality:.1f}" if one.quality is not None else "",
                one.pattern,
            )
            for one in found.tables
        ],
        caption=f"{found.objects:,} objects, {size(found.size_bytes)} below {found.address}; "
        f"listed in {found.listing_s:.1f} s, looked at in {found.seconds:.1f} s",
    )
    for one in found.tables:
        typer.echo()
        typer.echo(f"{one.name}: {one.looked_at} of {one.objects:,} objects looked at, "
                   f"{one.sampled_rows:,} rows")  # fmt: skip
        for line in notes(one):
            typer.echo(f"  {printable(line)}")
        if one.columns:
            _columns(one)
    for aside in found.left_aside:
        typer.echo(
            f"left aside: {aside.objects:,} objects, {size(aside.size_bytes)}: {aside.reason}, "
            f"such as {printable(aside.example)}"
        )


def notes(one: TableCandidate) -> list[str]:
    """What is to be known of a table besides its columns, a line each."""
    told = [
        f"partition {p.name} ({p.type}): {p.values:,}{' or more' if p.more else ''} values, "
        f"{p.low} to {p.high}"
        for p in one.partitions
    ]
    if one.estimate is not None and one.estimate.compression_ratio != 1:
        told.append(f"decompressed {one.estimate.compression_ratio:g} times as large")
    told += [f"beware: {text}" for text in one.suspicions]
    told += [f"differs: {text}" for text in one.disagreements]
    told += [f"to declare: {text}" for text in one.questions]
    told += [f"cannot be read: {bad.key}: {bad.reason}" for bad in one.bad[:_SHOWN_BAD]]
    if len(one.bad) > _SHOWN_BAD:
        told.append(f"cannot be read: {len(one.bad) - _SHOWN_BAD} more")
    return told


def _columns(one: TableCandidate) -> None:
    from etl_platform.cli.printing import print_table

    print_table(
        [
            ("column", "left"),
            ("type", "left"),
            ("sure", "right"),
            ("null", "right"),
            ("distinct", "right"),
            ("from", "left"),
            ("to", "left"),
            ("note", "left"),
        ],
        [
            (
                column.name,
                column.type + (f" ({column.pii})" if column.pii else ""),
                f"{column.confidence:.2%}",
                f"{column.null_share:.1%}" if column.null_share is not None else "",
                column.distinct,
                column.low,
                column.high,
                "; ".join(column.notes),
            )
            for column in one.columns
        ],
    )


def _rows(found: Estimate | None) -> str:
    if found is None:
        return ""
    if found.exact:
        return f"{found.rows:,}"
    return f"{found.rows:,} [{found.rows_low:,}, {found.rows_high:,}]"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "< 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
