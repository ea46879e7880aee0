"""Loads of a database that sinks write to, as ``etl receipts`` and ``etl revert`` show them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from etl_platform.sinks.database import DatabaseSink, Entry, LoadReceipt, Target

InDatabase = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="URI",
        help="A database that a sink loads: a secret reference, or a URL without a password. "
        "TABLE is a table of it: name, or schema.name.",
        show_default=False,
    ),
]


def show_loads(uri: str, table: str, limit: int, *, as_json: bool) -> None:
    """Print the loads that the database itself has recorded."""
    from etl_platform.cli.printing import print_json, print_table

    found = _sink(uri).loads(_target(table), limit)
    if as_json:
        print_json([_plain(entry) for entry in found])
        return
    columns = ("loaded", "mode", "inserted", "updated", "deleted", "source", "version", "seconds")
    numbers = ("inserted", "updated", "deleted", "version", "seconds")
    print_table(
        [(name, "right" if name in numbers else "left") for name in (*columns, "undo", "batch")],
        [_row(entry) for entry in found],
        caption=f"take the newest back with: etl revert {table} --in {uri}" if found else None,
    )


def revert_load(uri: str, table: str, batch: str | None, *, as_json: bool) -> None:
    """Put back the rows that a load changed."""
    from etl_platform.cli.printing import print_json

    receipt: LoadReceipt = _sink(uri).revert(_target(table), batch)
    if as_json:
        print_json(asdict(receipt))
        return
    typer.echo(
        f"{table}: load {receipt.batch!r} is undone, {receipt.rows_inserted:,} rows put back, "
        f"{receipt.rows_deleted:,} rows taken away"
    )


def _sink(uri: str) -> DatabaseSink:
    from etl_platform.sinks.database import DatabaseSink
    from etl_platform.sources.database import Database

    return DatabaseSink(Database("target", uri))


def _target(text: str) -> Target:
    from etl_platform.sinks.database import Target

    schema, _, name = text.rpartition(".")
    return Target(name, schema or None)


def _plain(entry: Entry) -> dict[str, object]:
    kept = {"revertible": entry.image is not None, "revertible_until": entry.image_until}
    times = {"loaded_at": entry.loaded_at, "reverted_at": entry.reverted_at}
    return {**asdict(entry.receipt), **times, **kept}


def _row(entry: Entry) -> tuple[object, ...]:
    one = entry.receipt
    return (
        entry.loaded_at[:19].replace("T", " "),
        one.mode.value,
        one.rows_inserted,
        one.rows_updated,
        one.rows_deleted,
        one.source,
        one.source_version,
        f"{one.seconds:.2f}",
        _undo(entry),
        one.batch,
    )


def _undo(entry: Entry) -> str:
    if entry.reverted_at is not None:
        return "undone"
    if entry.image is None:
        return ""
    return f"until {entry.image_until[:10]}" if entry.image_until else "possible"
