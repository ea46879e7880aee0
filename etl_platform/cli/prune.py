"""``etl prune``: old runs and alerts are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl prune

etl prune --older-than 30 --yes
"""


def prune(
    older_than: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="What ended so many days ago.")
    ] = 90,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove it; without, only say what would be.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove runs of Dagster with their events and logs, incidents that ended, and notices sent.

    A run stays that is not over, or that holds the newest materialisation, observation, try or
    check result of an asset or of one of its partitions; so do open incidents, and notices that
    wait. Tables, receipts and audits are not touched. Ticks of schedules and sensors are removed
    by Dagster itself: `retention` in dagster.yaml.

    Nothing is removed without --yes.
    """
    from dataclasses import asdict

    from etl_platform.cli.instances import open_instance
    from etl_platform.cli.printing import print_json
    from etl_platform.platform import Platform
    from etl_platform.pruning import prune as remove

    before = datetime.now(UTC) - timedelta(days=older_than)
    with open_instance() as instance:
        found = remove(instance, Platform.open().metastore, before, dry_run=not yes)
    if as_json:
        print_json({"before": before.isoformat(), "removed": yes, **asdict(found)})
        return
    verb = "removed" if yes else "would be removed, with --yes"
    typer.echo(
        f"{found.runs:,} runs, {found.incidents:,} incidents and {found.notices:,} notices "
        f"from before {before:%Y-%m-%d %H:%M} UTC {verb}"
    )
    if found.runs_kept:
        typer.echo(
            f"{found.runs_kept:,} runs as old stay: each holds the newest state of an asset, "
            "partition or check"
        )
