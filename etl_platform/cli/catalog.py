"""``etl catalog``: what searches read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from etl_platform.catalog import Indexed

app = typer.Typer(
    name="catalog",
    help="Keep what etl search reads: documents about tables, columns, models, checks, saved "
    "queries and pages of the docs.",
    no_args_is_help=True,
)
Docs = Annotated[str, typer.Option("--docs", help="Folder of Markdown pages.")]


@app.command()
def refresh(
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE]...", help="Only these tables.")
    ] = None,
    docs: Docs = "docs",
    as_json: Json = False,
) -> None:
    """Write what changed since the last time; unchanged documents are not embedded again."""
    from etl_platform.platform import Platform

    _show(Platform.open().index(tables or None, docs=docs), as_json=as_json)


@app.command()
def rebuild(docs: Docs = "docs", as_json: Json = False) -> None:
    """Forget everything and begin again, as after a change of ETL_EMBEDDING."""
    from etl_platform.platform import Platform

    _show(Platform.open().index(docs=docs, rebuild=True), as_json=as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show how much is indexed and by which model."""
    from etl_platform.cli.printing import print_json, print_table
    from etl_platform.platform import Platform

    catalogue = Platform.open().catalogue
    found = catalogue.newest()
    state = {
        "folder": str(catalogue.folder),
        "documents": 0 if found is None else len(found),
        "model": None if found is None else found.model,
        "dimension": None if found is None else int(found.vectors.shape[1]),
        "usable": found is not None and found.model == catalogue.embedding.model,
    }
    if as_json:
        print_json(state)
        return
    print_table([("", "left"), ("", "left")], list(state.items()))


def _show(done: Indexed, *, as_json: bool) -> None:
    from dataclasses import asdict

    from etl_platform.cli.printing import print_json, print_table

    if as_json:
        print_json(asdict(done))
        return
    print_table([("", "left"), ("", "right")], list(asdict(done).items()))
