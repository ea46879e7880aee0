"""``etl profile``: what a table looks like, what changed, and what a contract could demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from etl_platform.lakehouse.published import View
    from etl_platform.platform import Platform
    from etl_platform.quality import Profile
    from etl_platform.quality.comparison import Comparison
    from etl_platform.quality.reports.page import OutlierTable

EXAMPLES = """[bold]Examples[/bold]

etl profile shop.orders

etl profile shop.orders --html open

etl profile shop.orders --compare 3 --columns amount,country

etl profile shop.orders --compare shop.orders_test --html difference.html

etl profile shop.orders --partition 2024-02-29

etl profile shop.orders --suggest-contract > contract.yaml

etl profile shop.orders --outliers --method robust_z

etl profile env://SHOP_URL --table orders --sample random:20000
"""
_OPEN = "open"
_OUTLIERS = 20


def profile(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE|URI",
            help="A table of the lake, the URI of a database (with --table), or Parquet files.",
            show_default=False,
        ),
    ],
    version: Annotated[
        int | None, typer.Option("--version", "-v", help="Not the newest version, but this one.")
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="One partition: its key, or column=value[,column=value]."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", "-c", metavar="NAMES", help="Only these, separated by commas."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION|TABLE",
            help="What changed since an earlier version, or against TABLE or TABLE@VERSION.",
        ),
    ] = None,
    suggest_contract: Annotated[
        bool,
        typer.Option("--suggest-contract", help="Print a contract in YAML that the data meets."),
    ] = False,
    outliers: Annotated[
        bool, typer.Option("--outliers", help="Also show the rows that lie furthest out.")
    ] = False,
    method: Annotated[
        str, typer.Option(help="How outliers are found: iqr, robust_z or isolation_forest.")
    ] = "iqr",
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE|open", help="Write a page with pictures, or open it."),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Look at some rows only: random:20000, blocks:1%, stratified:5000:column, "
            "systematic, reservoir. Databases and files are always sampled.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sample.")] = 0,
    source_table: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="Which table of a database.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read the rows even where a profile was kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a table looks like: nulls, distinct values, distributions, quality, and surprises.

    A profile that was made when the version was published costs nothing to show; otherwise the rows
    are read once, in bounded memory. Personal data are masked. [bold]~[/bold] marks estimates.

    [bold]--compare[/bold] says of each column same, changed (worth a look), drifted (another
    population), retyped, added or removed, and why. [bold]--suggest-contract[/bold] writes above
    each rule what was seen: what is exact is demanded, what is usual only warns.
    """
    from etl_platform.cli.profile_sampled import is_outside, show_sampled
    from etl_platform.cli.profile_views import chosen, view_of
    from etl_platform.core.errors import ConfigError
    from etl_platform.platform import Platform

    if suggest_contract and (compare or html or outliers):
        raise ConfigError(
            "--suggest-contract prints a contract and nothing else",
            valid="--suggest-contract with --version, --partition, --columns, --json",
            fix="run etl profile once more for the rest",
        )
    names = chosen(columns)
    if sample is not None or is_outside(table):
        if version is not None or partition or compare or suggest_contract or outliers or html:
            raise ConfigError(
                "a sampled profile is shown as a table or as JSON",
                valid="--sample, --seed, --table, --columns, --json",
                fix="load the data into the lake to look at all of it",
            )
        show_sampled(table, source_table, sample, seed, names, as_json=as_json)
        return
    platform = Platform.open()
    view = view_of(platform, table, version, partition, names)
    if suggest_contract:
        _suggest(platform, view, as_json)
        return
    found, kept = _profile(platform, view, fresh)
    changes, other = None, ""
    if compare is not None:
        changes, other = _compare(platform, view, found, compare, names, fresh)
    far = _outliers(platform, view, found, method) if outliers else None
    if html is not None:
        _page(platform, view, found, changes, other, far, html)
    elif as_json:
        _json(found, changes, far)
    else:
        _text(view, found, changes, other, far, kept=kept)


def _profile(platform: Platform, view: View, fresh: bool) -> tuple[Profile, bool]:
    """The profile, and whether it was made when the rows were published."""
    from etl_platform.cli.progress import busy
    from etl_platform.lakehouse.published import kept_profile, made_profile

    kept = None if fresh else kept_profile(platform.lake, view)
    if kept is not None:
        return kept, True
    rows = sum(file.rows for file in view.files)
    with busy(f"reading {rows:,} rows of {view.snapshot.table}"):
        return made_profile(platform.settings, view), False


def _compare(
    platform: Platform,
    view: View,
    found: Profile,
    compare: str,
    names: tuple[str, ...] | None,
    fresh: bool,
) -> tuple[Comparison, str]:
    from etl_platform.cli.profile_views import other_view, scope_of
    from etl_platform.quality.comparison import compare as compared

    other = other_view(platform, view, compare, names)
    return compared(_profile(platform, other, fresh)[0], found), (
        f"{other.snapshot.table}, {scope_of(other)}"
    )


def _outliers(platform: Platform, view: View, found: Profile, method: str) -> OutlierTable:
    from etl_platform.cli.profile_views import outlying
    from etl_platform.cli.progress import busy

    with busy(f"looking for outliers in {view.snapshot.table}"):
        return outlying(platform, view, found, method, _OUTLIERS)


def _suggest(platform: Platform, view: View, as_json: bool) -> None:
    from etl_platform.cli.printing import print_json
    from etl_platform.cli.profile_views import scope_of
    from etl_platform.cli.progress import busy
    from etl_platform.lakehouse.published import as_staged
    from etl_platform.quality.profiling import profile_staged
    from etl_platform.quality.suggestions.suggesting import suggest
    from etl_platform.quality.suggestions.writing import to_yaml

    table = view.snapshot.table
    newest = platform.lake.history(table, 1)[0].receipt
    whole = view.partition is None and newest is not None and newest.mode == "replace"
    with (
        busy(f"looking at {table} for rules"),
        as_staged(platform.settings, view) as (con, staged),
    ):
        found = suggest(con, staged, profile_staged(con, staged, "full"), whole=whole)
    if as_json:
        print_json([{"rule": dict(one.rule), "evidence": one.evidence} for one in found.rules])
        return
    heading = f"Proposed for {table} from {scope_of(view)}, {staged.rows:,} rows."
    typer.echo(to_yaml(found, heading), nl=False)


def _page(
    platform: Platform,
    view: View,
    found: Profile,
    changes: Comparison | None,
    other: str,
    far: OutlierTable | None,
    html: str,
) -> None:
    from pathlib import Path
    from tempfile import mkdtemp

    from etl_platform.cli.profile_views import page_of
    from etl_platform.core.errors import ConfigError
    from etl_platform.quality.reports.page import page_html

    page = page_html(page_of(platform, view, found, changes, other, far))
    name = f"{view.snapshot.table.schema}_{view.snapshot.table.name}.html"
    file = Path(mkdtemp(prefix="etl-profile-")) / name if html == _OPEN else Path(html)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the page cannot be written to {file}: {error.strerror}",
            valid="a file in a folder that exists, or open",
            fix=f"mkdir -p {file.parent}",
        ) from error
    typer.echo(str(file))
    if html == _OPEN and typer.launch(file.as_uri()) != 0:
        typer.echo("no browser could be started: open the file by hand", err=True)


def _json(found: Profile, changes: Comparison | None, far: OutlierTable | None) -> None:
    from dataclasses import asdict
    from json import loads

    from etl_platform.cli.printing import print_json

    document = loads(found.to_json())
    if changes is not None:
        # The profiles of both sides stand in the comparison: the one of the table is not repeated.
        document = {"comparison": changes.model_dump(mode="json"), "verdict": changes.verdict}
    if far is not None:
        document["outliers"] = asdict(far)
    print_json(document)


def _text(
    view: View,
    found: Profile,
    changes: Comparison | None,
    other: str,
    far: OutlierTable | None,
    *,
    kept: bool,
) -> None:
    from etl_platform.cli.profile_tables import print_changes, print_outliers, print_profile
    from etl_platform.cli.profile_views import scope_of

    if changes is not None:
        print_changes(changes, other)
    else:
        print_profile(view.snapshot.table.sql, scope_of(view), found, kept=kept)
    if far is not None:
        typer.echo()
        print_outliers(far)
