"""``etl alerts``: what is wrong now, and who would be told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Json, Module
from etl_platform.core.errors import ConfigError, EtlError, UnknownName

if TYPE_CHECKING:
    import dagster as dg

    from etl_platform.components.alerts.options import AlertsOptions
    from etl_platform.metastore import IncidentRecord, NoticeRecord
    from etl_platform.monitoring.alerts import Channel, Kind, Signal

EXAMPLES = """[bold]Examples[/bold]

etl alerts

etl alerts --json | jq -r '.incidents[] | select(.severity == "error") | .asset'

etl alerts test

etl alerts test --channel mail --send
"""

app = typer.Typer(
    name="alerts", help="What is wrong now, and who is told.", rich_markup_mode="rich"
)


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def alerts(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Show open incidents, and notices that nobody could be sent."""
    if context.invoked_subcommand is not None:
        return
    from etl_platform.platform import Platform

    log = Platform.open().metastore.alerts
    incidents = log.incidents(still_open=not every)
    notices = [one for one in log.notices() if one.state in ("waiting", "given_up")]
    if as_json:
        _print_json(incidents, notices)
    else:
        _show(incidents, notices)


@app.command("test", epilog=EXAMPLES)
def dry_run(
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this channel.", show_default=False)
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send a notice, marked as a test.")] = False,
    module: Module = DEFINITIONS,
    as_json: Json = False,
) -> None:
    """Print who would be told of what, for every asset and kind of incident; nothing is sent
    unless --send says so."""
    from etl_platform.cli.definitions import definitions_of
    from etl_platform.cli.printing import print_json, print_table

    definitions = definitions_of(module)
    rows: list[dict[str, object]] = []
    failed = False
    for options in _declared(definitions):
        alerting = options.alerting()
        names = [one.name for one in alerting.channels]
        if channel is not None and channel not in names:
            raise UnknownName("channel", channel, names)
        told = _told(options, definitions)
        for one in alerting.channels:
            if channel not in (None, one.name):
                continue
            assets, kinds = told.get(one.name, ([], []))
            result = _address(one) if not send else _send(one, options.name)
            failed |= send and result != "sent"
            rows.append(
                {
                    "alerts": options.name,
                    "channel": one.name,
                    "address": one.url,
                    "result": result,
                    "quiet_now": one.due_at(datetime.now(UTC), "warn")
                    > datetime.now(UTC) + one.group_for,
                    "kinds": kinds,
                    "assets": assets,
                }
            )
    if as_json:
        print_json(rows)
    else:
        print_table(
            [(name, "left") for name in ("channel", "address", "now", "told of", "assets")],
            [
                (
                    row["channel"],
                    row["address"],
                    f"{row['result']}{', quiet hours' if row['quiet_now'] else ''}",
                    _few(row["kinds"]),
                    _few(row["assets"]),
                )
                for row in rows
            ],
            caption=None if send else "nothing was sent: --send sends a notice marked as a test",
        )
    if failed:
        raise typer.Exit(1)


def _declared(definitions: dg.Definitions) -> list[AlertsOptions]:
    import dagster as dg

    from etl_platform.components.alerts.options import AlertsOptions
    from etl_platform.components.alerts.sensor import METADATA

    found = [
        AlertsOptions.model_validate(value.data)
        for sensor in definitions.sensors or ()
        if isinstance(value := sensor.metadata.get(METADATA), dg.JsonMetadataValue)
    ]
    if not found:
        raise ConfigError(
            "no alerts are declared", fix="add an etl_platform.AlertsComponent: docs/alerts.md"
        )
    return found


def _told(
    options: AlertsOptions, definitions: dg.Definitions
) -> dict[str, tuple[list[str], list[str]]]:
    """For each channel the assets and kinds of which it would be told."""
    from etl_platform.monitoring.alerts import decide
    from etl_platform.monitoring.alerts.rules import judged

    alerting = options.alerting()
    assets: dict[str, dict[str, None]] = {}
    kinds: dict[str, dict[str, None]] = {}
    # A failure as it would be seen; each sample is decided alone, so none is taken for another.
    for signal in _samples(options, definitions):
        _, changes = decide(options.name, {}, judged(alerting.rules, [signal]))
        for name in alerting.told(changes):
            assets.setdefault(name, {})[signal.asset or ""] = None
            kinds.setdefault(name, {})[signal.kind] = None
    return {name: (list(assets[name]), list(kinds[name])) for name in assets}


def _samples(options: AlertsOptions, definitions: dg.Definitions) -> list[Signal]:
    from etl_platform.components.alerts.advice import Advisor
    from etl_platform.monitoring.alerts import KINDS, Signal

    advisor = Advisor(definitions.resolve_asset_graph(), options.base_url)
    kinds: list[Kind] = [
        kind for kind in KINDS if any(kind in rule.kinds for rule in options.rules)
    ]
    return [
        Signal(
            kind=kind,
            at=datetime.now(UTC),
            bad=True,
            message="sample",
            asset=key.to_user_string(),
            advice=advisor.advise(kind, key),
        )
        for key in sorted(advisor.graph.materializable_asset_keys)
        for kind in kinds
    ]


def _address(channel: Channel) -> str:
    from etl_platform.core.secrets import resolve

    try:
        resolve(channel.url)
    except EtlError:
        return "not set: kept for etl alerts" if channel.optional else "not set: tried again"
    return "set"


def _send(channel: Channel, alerts: str) -> str:
    from uuid import uuid4

    from etl_platform.metastore import IncidentRecord, NoticeRecord
    from etl_platform.monitoring.alerts.delivery import send
    from etl_platform.monitoring.alerts.notices import Item, to_json

    now = datetime.now(UTC)
    incident = IncidentRecord(
        id="0" * 12,
        alerts=alerts,
        subject="test",
        kind="test",
        severity="warn",
        message="this is a test: nothing is wrong",
        opened_at=now,
        seen_at=now,
    )
    items = to_json([Item(what="opened", incident=incident)])
    notice = NoticeRecord(
        id=uuid4().hex[:12], alerts=alerts, channel=channel.name, items=items, due_at=now
    )
    try:
        send(channel.url, notice)
    except EtlError as error:
        return error.what
    return "sent"


def _show(incidents: list[IncidentRecord], notices: list[NoticeRecord]) -> None:
    from etl_platform.cli.printing import age, print_table

    now = datetime.now(UTC)
    print_table(
        [
            ("since", "right"),
            ("severity", "left"),
            ("what", "left"),
            ("asset", "left"),
            ("partition", "left"),
            ("seen", "right"),
            ("message", "left"),
            ("next step", "left"),
        ],
        [
            (
                age((now - one.opened_at).total_seconds()),
                one.severity if one.recovered_at is None else "ended",
                one.kind,
                one.asset or one.subject.rpartition("|")[2],
                one.partition,
                one.times,
                one.message,
                _next_step(one) if one.recovered_at is None else one.recovery,
            )
            for one in incidents
        ],
        caption=None if incidents else "nothing is wrong",
    )
    for one in notices:
        typer.echo(
            f"notice {one.id} to {one.channel}: {one.state.replace('_', ' ')}"
            + (f" after {one.attempts} tries: {one.error}" if one.error else ""),
            err=True,
        )


def _print_json(incidents: list[IncidentRecord], notices: list[NoticeRecord]) -> None:
    import json

    from etl_platform.cli.printing import print_json

    print_json(
        {
            "incidents": [
                {**one.model_dump(), "advice": json.loads(one.advice)} for one in incidents
            ],
            "notices": [one.model_dump(exclude={"items", "claimed_until"}) for one in notices],
        }
    )


def _next_step(incident: IncidentRecord) -> str | None:
    from etl_platform.monitoring.alerts import Advice

    return Advice.model_validate_json(incident.advice).next_step


def _few(names: object) -> str:
    from etl_platform.cli.printing import few

    return few([str(name) for name in names] if isinstance(names, list) else [])
