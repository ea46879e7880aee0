"""``etl audit``: who changed which table, when, and how."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json, optional_table

EXAMPLES = """[bold]Examples[/bold]

etl audit

etl audit shop.orders --since 7d

etl audit --since 2026-11-01 --json | jq '.[] | select(.change == "revert") | .actor'
"""

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def moment(text: str | None, now: datetime | None = None) -> datetime | None:
    """A moment: ISO 8601 (UTC where no zone is named), or an age such as ``90s``, ``2h``, ``7d``.

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    try:
        ago = re.fullmatch(r"(\d+)\s*(s|min|h|d)", text.strip())
        if ago is not None:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no moment; valid: 2026-11-01, 2026-11-01T08:00:00+01:00, 90s, 2h, 7d"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def audit(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            callback=optional_table,
            help="Name of a table: schema.name; default: all.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Changes from then on: 2026-11-01, or an age such as 2h or 7d.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, help="How many, newest first; default 50, with --since all."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every change of the lake's tables: who or what ran, from which version to which, and
    what it did.

    Entries come from the tables' own logs, so none is missing, whoever committed; a change that
    only the platform's records still tell of says so in its last column.
    """
    from etl_platform.cli.printing import print_json, print_table
    from etl_platform.core.names import TableName
    from etl_platform.monitoring.audit import Kept, audit_trail
    from etl_platform.platform import Platform

    try:
        earliest = moment(since)
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="--since") from None
    platform = Platform.open()
    found = audit_trail(
        platform.lake,
        platform.metastore,
        None if table is None else TableName.parse(table),
        earliest,
        limit if limit is not None or since is not None else 50,
    )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        [
            ("when (UTC)", "left"),
            ("table", "left"),
            ("change", "left"),
            ("version", "right"),
            ("inserted", "right"),
            ("updated", "right"),
            ("deleted", "right"),
            ("who", "left"),
            ("command", "left"),
            ("run", "left"),
            ("kept by", "left"),
        ],
        [
            (
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.table,
                one.change,
                one.version_after
                if one.version_before is None
                else f"{one.version_before} > {one.version_after}",
                one.receipt.rows_inserted if one.receipt else None,
                one.receipt.rows_updated if one.receipt else None,
                one.receipt.rows_deleted if one.receipt else None,
                one.actor,
                one.actor.command if one.actor else None,
                one.run_id,
                one.kept.value if one.kept is not Kept.LOG else None,
            )
            for one in found
        ],
        caption=f"{len(found)} changes" if found else "no change",
    )
