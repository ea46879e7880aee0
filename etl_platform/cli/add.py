"""``etl add``: the pipeline of a source, from its address."""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from etl_platform.generate.pipeline import Plan, Source

EXAMPLES = """[bold]Examples[/bold]

etl add postgresql://reader:secret@db.example.com/shop

etl add env://SHOP_URL --schema sales --dry-run

etl add sqlite:////data/shop.db --name shop --yes

etl add s3://bucket/incoming --region eu-central-1

etl add https://api.example.com/openapi.json --name shop

etl add kafka://broker:9092/orders
"""


def add(
    uri: Annotated[
        str,
        typer.Argument(
            metavar="URI",
            help="Where the source is: a database (postgresql, mysql, mariadb, sqlite, duckdb) or "
            "a secret reference of one (env://NAME), s3://bucket/prefix, a path, an API's resource "
            "or OpenAPI document (http, https), kafka://host:9092/topic, kinesis://stream. A "
            "password in it is never written.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the folder, the schema and jobs; default: the URI's.")
    ] = None,
    defs: Annotated[
        Path | None,
        typer.Option(help="Folder of definitions; default: that of the project around here."),
    ] = None,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", "-s", help="Databases: only this schema; may be repeated."),
    ] = None,
    secret: Annotated[
        str | None, typer.Option(help="Variable that is to hold the secret; default: NAME_URL.")
    ] = None,
    budget_s: Annotated[
        float, typer.Option("--budget", min=0.1, help="Seconds that looking may take.")
    ] = 10.0,
    region: Annotated[str | None, typer.Option(help="Of AWS.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Of what stands for AWS.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write over without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Look at a source, and write the component and staging models that load it.

    What the source says of itself becomes a contract (keys, columns that are never null,
    references), a way of reading (whole, or what changed), types, tags for personal data and
    descriptions, in files that are meant to be edited.

    Run again, it merges what drifted at the source into the files as they are by then: edits stay,
    a place that both sides changed stays as it was edited and is named, and then the status is 1.
    Before a file that is there is changed, the difference is shown.
    """
    from etl_platform.core.names import to_identifier
    from etl_platform.generate.pipeline import Ask, existing_attributes, kind_of, name_of, plan

    began = time.monotonic()
    folder = defs or _defs_around(Path.cwd())
    chosen = to_identifier(name) if name else name_of(uri)
    ask = Ask(
        uri=uri,
        name=chosen,
        secret=secret or f"{chosen.upper()}_URL",
        budget_s=budget_s,
        existing=existing_attributes(folder, chosen),
        schemas=tuple(schema) if schema else None,
        region=region,
        endpoint_url=endpoint_url,
    )
    source = kind_of(uri).describe(ask)
    planned = plan(folder, source)
    if not as_json:
        _show(planned)
    if planned.writes_over and not (yes or dry_run):
        _confirm(as_json)
    if not dry_run:
        planned.apply(folder)
    seconds = time.monotonic() - began
    if as_json:
        _json(source, planned, seconds, written=not dry_run)
    else:
        _say(source, planned, folder, seconds, written=not dry_run)
    if planned.conflicts:
        raise typer.Exit(1)


def _defs_around(start: Path) -> Path:
    """The folder of definitions of the Dagster project that a folder belongs to."""
    for root in (start, *start.parents):
        file = root / "pyproject.toml"
        if not file.is_file():
            continue
        dg = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("dg", {})
        project = dg.get("project", {})
        if "root_module" not in project:
            continue
        module = project.get("defs_module") or f"{project['root_module']}.defs"
        inside = Path(*str(module).split("."))
        for place in (root / inside, root / "src" / inside):
            if place.is_dir():
                return place
    raise ConfigError(
        f"{start} is in no Dagster project that has a folder of definitions",
        fix="go into the project, or name the folder: --defs FOLDER",
    )


def _show(planned: Plan) -> None:
    from etl_platform.cli.printing import printable

    for change in planned.writes_over:
        for line in change.diff.splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            typer.secho(printable(line), fg=colour)


def _confirm(as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise ConfigError(
            "files that are there would be changed", fix="look with --dry-run, then give --yes"
        )
    typer.confirm("Write these changes?", abort=True, err=True)


def _json(source: Source, planned: Plan, seconds: float, *, written: bool) -> None:
    from etl_platform.cli.printing import print_json

    print_json(
        {
            "name": source.name,
            "component": source.type,
            "written": written,
            "seconds": round(seconds, 3),
            "files": [
                {
                    "path": one.path,
                    "change": "added"
                    if one.before is None
                    else ("removed" if one.after is None else "changed"),
                    "diff": one.diff,
                }
                for one in planned.changes
            ],
            "conflicts": [
                {"path": one.path, "at": list(one.at), "why": one.why} for one in planned.conflicts
            ],
            "set": [{"reference": one.reference, "to": one.meaning} for one in source.secrets],
            "told": list(source.told),
        }
    )


def _say(source: Source, planned: Plan, folder: Path, seconds: float, *, written: bool) -> None:
    from etl_platform.cli.printing import printable

    added = [one for one in planned.changes if one.before is None]
    models = sum(one.path.endswith(".sql") for one in added)
    for one in added:
        if not one.path.endswith(".sql"):
            typer.echo(f"{folder / one.path}")
    if models:
        typer.echo(f"{models} staging models in {folder / f'{source.name}_staging'}")
    verb = "written" if written else "would be written"
    counted = f"{len(added)} files {verb}, {len(planned.writes_over)} changed"
    typer.echo(f"{counted} in {seconds:.2f} s" if planned.changes else "nothing changed")
    for line in source.told:
        typer.secho(f"note: {printable(line)}", err=True)
    for one in source.secrets:
        typer.secho(f"set {one.reference.removeprefix('env://')}: {printable(one.meaning)}",
                    err=True)  # fmt: skip
    for one in planned.conflicts:
        typer.secho(f"conflict: {printable(one)}", fg="yellow", err=True)
