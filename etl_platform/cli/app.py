"""The commands of ``etl`` and what happens when one fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import cleandoc
from typing import Annotated

import typer

from etl_platform.cli import (
    add,
    advise,
    alerts,
    anomalies,
    audit,
    catalog,
    engines,
    explain,
    format,  # noqa: A004 - the command is called so
    history,
    indexes,
    inspect,
    lineage,
    materialize,
    metrics,
    moved,
    profile,
    promote,
    prune,
    query,
    receipts,
    related,
    replay_dead_letters,
    resume,
    revert,
    search,
    secrets,
    sla,
    status,
    test,
    verify,
    why,
)
from etl_platform.core.errors import EtlError

app = typer.Typer(
    name="etl",
    help="Ask the lake, see what was published, and put tables back.\n\n"
    "Where the lake is comes from the environment: ETL_LAKE_URI (default .etl/lake) and "
    "ETL_METASTORE_URL (default SQLite in .etl/).",
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage. Data goes to standard output, "
    "everything else to standard error.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(command: Callable[..., None], examples: str) -> None:
    # Line breaks inside of a paragraph are the source's, not the reader's.
    paragraphs = cleandoc(command.__doc__ or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(help=text, epilog=examples)(command)


_add(add.add, add.EXAMPLES)
_add(advise.advise, advise.EXAMPLES)
_add(anomalies.anomalies, anomalies.EXAMPLES)
_add(audit.audit, audit.EXAMPLES)
_add(engines.engines, engines.EXAMPLES)
_add(explain.explain, explain.EXAMPLES)
_add(format.format, format.EXAMPLES)
_add(history.history, history.EXAMPLES)
_add(indexes.indexes, indexes.EXAMPLES)
_add(inspect.inspect, inspect.EXAMPLES)
_add(lineage.lineage, lineage.EXAMPLES)
_add(materialize.materialize, materialize.EXAMPLES)
_add(moved.moved, moved.EXAMPLES)
_add(profile.profile, profile.EXAMPLES)
_add(promote.promote, promote.EXAMPLES)
_add(prune.prune, prune.EXAMPLES)
_add(query.query, query.EXAMPLES)
_add(receipts.receipts, receipts.EXAMPLES)
_add(related.related, related.EXAMPLES)
_add(replay_dead_letters.replay_dead_letters, replay_dead_letters.EXAMPLES)
_add(resume.resume, resume.EXAMPLES)
_add(revert.revert, revert.EXAMPLES)
_add(search.search, search.EXAMPLES)
_add(sla.sla, sla.EXAMPLES)
_add(status.status, status.EXAMPLES)
_add(test.test, test.EXAMPLES)
_add(verify.verify, verify.EXAMPLES)
_add(why.why, why.EXAMPLES)
app.add_typer(alerts.app)
app.add_typer(catalog.app)
app.add_typer(metrics.app)
app.add_typer(secrets.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from etl_platform import __version__

        typer.echo(f"etl {__version__}")
        raise typer.Exit


@app.callback()
def etl(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options that stand before the command."""


def run() -> None:
    """Run the command line of this process, and exit with its status."""
    try:
        app()
    except EtlError as error:
        typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(str(error), err=True)
        sys.exit(1)
