"""What the demo prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from etl_platform.demo.runs import Loaded

if TYPE_CHECKING:
    import polars as pl

_PLAIN_WIDTH = 118
console = Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def heading(number: int, text: str) -> None:
    """A numbered step of the demo."""
    console.print(f"\n[bold cyan]{number}[/] [bold]{text}[/]")


def summary(runs: Mapping[str, Loaded]) -> None:
    """One row per asset: rows, checks passed and failed, quarantined rows, seconds, version."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("asset", no_wrap=True)
    for column in ("rows", "passed", "failed", "quarantined", "seconds", "version"):
        table.add_column(column, justify="right")
    table.add_column("outcome", no_wrap=True)
    for name in sorted(runs):
        loaded = runs[name]
        failed = [check for check in loaded.checks if not check.passed]
        table.add_row(
            name,
            f"{loaded.number('dagster/row_count'):,.0f}" if loaded.published else "-",
            str(len(loaded.checks) - len(failed)),
            str(len(failed)) if failed else "",
            f"{loaded.number('quarantined_rows'):,.0f}"
            if "quarantined_rows" in loaded.metadata
            else "",
            f"{loaded.seconds:.2f}" if loaded.published else "",
            f"{loaded.number('version'):.0f}" if loaded.published else "",
            _outcome(loaded, bool(failed)),
        )
    console.print(table)


def findings(runs: Mapping[str, Loaded]) -> None:
    """Every check that failed, with the number of rows that it is about."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("asset", "check"):
        table.add_column(column)
    table.add_column("rows", justify="right")
    table.add_column("what happened to them")
    for name in sorted(runs):
        loaded = runs[name]
        for check in loaded.checks:
            if not check.passed:
                table.add_row(
                    name, check.name, f"{check.failed_rows:,}", _action(loaded, check.severity)
                )
    console.print(table)


def answer(question: str, sql: str, frame: pl.DataFrame) -> None:
    """A query and its result."""
    console.print(f"[bold]{question}[/]\n[dim]{sql}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, kind in frame.schema.items():
        table.add_column(name, justify="right" if kind.is_numeric() else "left")
    for row in frame.rows():
        table.add_row(*(f"{v:,.1f}" if isinstance(v, float) else str(v) for v in row))
    console.print(table)


def _outcome(loaded: Loaded, failed: bool) -> str:
    if not loaded.published:
        return "[red]blocked, nothing published[/]"
    if "quarantined_rows" in loaded.metadata:
        return "[yellow]published, rows kept aside[/]"
    return "[yellow]published with warnings[/]" if failed else "[green]published[/]"


def _action(loaded: Loaded, severity: str) -> str:
    if not loaded.published:
        return "blocked: nothing was published"
    if severity == "WARN":
        return "warning: published"
    return f"quarantined in {loaded.metadata.get('quarantine_table')}"
