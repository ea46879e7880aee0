"""``etl anomalies``: which metrics of a table are unusual, and what people say about that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from etl_platform.cli.arguments import Json, Table
from etl_platform.core.errors import UnknownName

if TYPE_CHECKING:
    from rich.text import Text

    from etl_platform.metastore import MetricLog
    from etl_platform.quality.anomalies.evaluation import Judged

EXAMPLES = """[bold]Examples[/bold]

etl anomalies shop.orders

etl anomalies shop.orders --normal rows --note "we sell in Spain now"

etl anomalies shop.orders --mute amount.mean --until 2025-02-01

etl anomalies shop.orders --json | jq '.[] | select(.status == "anomaly")'
"""
_EVERY = "*"


def anomalies(
    table: Table,
    normal: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="Its newest value is usual from now on ('*': all)."),
    ] = None,
    mute: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Do not judge it ('*': all).")
    ] = None,
    unmute: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Judge it again ('*': all).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="When a mute ends, in UTC; without it never.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why, for whoever reads it later.")] = None,
    series: Annotated[
        str, typer.Option(help="Partition without its time, where a table has such.")
    ] = "",
    sensitivity: Annotated[
        str, typer.Option(metavar="LEVEL", help="low, medium or high.")
    ] = "medium",
    as_json: Json = False,
) -> None:
    """Judge the newest value of every metric of a table by its history.

    [green]normal[/green], [red]anomaly[/red], muted, or learning: the history is too short.
    """
    from etl_platform.platform import Platform

    platform = Platform.open()
    log, lake = platform.metastore.metrics, platform.lake.uri
    said: tuple[tuple[Literal["normal", "mute", "unmute"], str | None], ...] = (
        ("normal", normal),
        ("mute", mute),
        ("unmute", unmute),
    )
    for kind, metric in said:
        if metric is not None:
            _say(log, lake, table, series, kind, metric, until, note)
    _show(_judged(log, lake, table, series, sensitivity), as_json)


def _say(
    log: MetricLog,
    lake: str,
    table: str,
    series: str,
    kind: Literal["normal", "mute", "unmute"],
    metric: str,
    until: datetime | None,
    note: str | None,
) -> None:
    from etl_platform.metastore import MetricFeedbackRecord
    from etl_platform.quality.anomalies.metrics import GAP, from_json

    points = log.points(table, lake=lake, series=series, limit=1)
    known = (*from_json(points[-1].metrics), GAP) if points else ()
    if metric not in (*known, _EVERY):
        raise UnknownName(f"metric of {table}", metric, known)
    since = points[-1].event_time if points else datetime.now(UTC)
    log.say(
        MetricFeedbackRecord(
            lake=lake,
            table=table,
            metric=metric,
            kind=kind,
            since=since,
            until=until.replace(tzinfo=UTC) if until is not None and kind == "mute" else None,
            note=note,
        )
    )


def _judged(
    log: MetricLog, lake: str, table: str, series: str, sensitivity: str
) -> tuple[Judged, ...]:
    from etl_platform.quality.anomalies.config import judging
    from etl_platform.quality.anomalies.evaluation import evaluate
    from etl_platform.quality.anomalies.metrics import GAP, from_json

    points = log.points(table, lake=lake, series=series, limit=1)
    if not points:
        return ()
    metrics = (*from_json(points[-1].metrics), GAP)
    at = points[-1].event_time
    return evaluate(log, lake, table, series, at, metrics, judging(sensitivity))


def _show(found: tuple[Judged, ...], as_json: bool) -> None:
    from etl_platform.cli.printing import print_json, print_table

    if as_json:
        print_json(
            [
                {
                    "metric": one.metric,
                    "at": one.at,
                    "value": one.value,
                    "status": one.verdict.status,
                    "score": one.verdict.score,
                    "expected": one.verdict.expected,
                    "band_low": one.verdict.band_low,
                    "band_high": one.verdict.band_high,
                    "points": one.verdict.seen,
                    "reason": one.verdict.reason,
                }
                for one in found
            ]
        )
        return
    print_table(
        [("metric", "left"), ("status", "left"), ("value", "right"), ("why", "left")],
        [
            (
                one.metric,
                _coloured(one.verdict.status),
                "" if one.value is None else f"{one.value:,.6g}",
                one.verdict.reason,
            )
            for one in found
        ],
        caption=None if found else "no history yet: materialise the table's asset",
    )


def _coloured(status: str) -> Text:
    from rich.text import Text

    return Text(status, style={"normal": "green", "anomaly": "bold red"}.get(status, ""))
