"""``etl metrics``: numbers for Prometheus, and the files that go with them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Module

if TYPE_CHECKING:
    from etl_platform.metrics import Exposition

EXAMPLES = """[bold]Examples[/bold]

etl metrics | grep etl_table_rows

etl metrics serve --port 9464

etl metrics rules --write etl_rules.yaml

etl metrics dashboard --write etl_dashboard.json
"""
PORT = 9464

app = typer.Typer(
    name="metrics", help="Numbers for Prometheus: print or serve them.", rich_markup_mode="rich"
)
Write = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Write the file instead.", show_default=False),
]


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def metrics(context: typer.Context, module: Module = DEFINITIONS) -> None:
    """Print all metrics once: of tables, streams, queries and engines, and, where DAGSTER_HOME is
    set, of runs and of the deadlines of the module's assets.
    """
    if context.invoked_subcommand is not None:
        return
    with ExitStack() as stack:
        exposition = _opened(module, stack)
        exposition.gather()
        typer.echo(exposition.text()[1].decode(), nl=False)


@app.command("serve", epilog=EXAMPLES)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = PORT,
    every: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="How long from look to look.")
    ] = 15.0,
    module: Module = DEFINITIONS,
) -> None:
    """Serve the metrics at http://HOST:PORT/metrics until interrupted.

    They are gathered in the background, so that a scrape takes a few milliseconds however many
    tables there are. etl_metrics_up is 0 while they cannot be gathered.
    """
    from threading import Event, Thread

    from etl_platform.metrics.exposition import keep_fresh
    from etl_platform.metrics.exposition import serve as listening

    stopped = Event()
    with ExitStack() as stack:
        exposition = _opened(module, stack)
        exposition.gather()
        server = stack.enter_context(listening(exposition, host, port))
        looking = Thread(target=keep_fresh, args=(exposition, every, stopped), daemon=True)
        looking.start()
        typer.echo(f"http://{host}:{server.server_address[1]}/metrics", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            stopped.set()
            looking.join()


@app.command("rules", epilog=EXAMPLES)
def rules(write: Write = None) -> None:
    """Print alert rules for Prometheus, each with its runbook: name the file in rule_files."""
    _put("rules.yaml", write)


@app.command("dashboard", epilog=EXAMPLES)
def dashboard(write: Write = None) -> None:
    """Print a dashboard for Grafana: Dashboards, New, Import."""
    _put("dashboard.json", write)


def _put(name: str, write: Path | None) -> None:
    text = files("etl_platform.metrics").joinpath(name).read_text("utf-8")
    if write is None:
        typer.echo(text, nl=False)
    else:
        write.write_text(text, "utf-8")


def _opened(module: str, stack: ExitStack) -> Exposition:

    from etl_platform.cli.definitions import definitions_of
    from etl_platform.cli.instances import open_instance
    from etl_platform.metrics import Exposition, RunMetrics, Source, TableMetrics
    from etl_platform.platform import Platform

    sources: list[Source] = [TableMetrics(Platform.open())]
    if os.environ.get("DAGSTER_HOME"):
        instance = stack.enter_context(open_instance())
        sources.append(RunMetrics(instance, definitions_of(module).resolve_asset_graph()))
    else:
        typer.echo("DAGSTER_HOME is not set: nothing is told of runs and deadlines", err=True)
    return Exposition(sources)
