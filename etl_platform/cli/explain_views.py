"""How ``etl explain`` shows operators, rules and findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import typer

from etl_platform.cli.printing import print_table, printable, size

if TYPE_CHECKING:
    from rich.text import Text

    from etl_platform.planner.advice.explanation import Explanation
    from etl_platform.planner.advice.operators import Operator
    from etl_platform.planner.advice.suggestion import Suggestion
    from etl_platform.planner.lint import Finding
    from etl_platform.planner.plan import Applied
    from etl_platform.query.measurement import Measured, Measurement

_SAME: Mapping[str, str] = {
    "hash_group_by": "aggregate",
    "perfect_hash_group_by": "aggregate",
    "partitioned_aggregate": "aggregate",
    "ungrouped_aggregate": "aggregate",
    "simple_aggregate": "aggregate",
    "top_n": "limit",
    "streaming_limit": "limit",
    "order_by": "sort",
    "streaming_window": "window",
}
"""DuckDB's operators by the names that estimates have for them."""


class _Step(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def children(self) -> tuple[Self, ...]: ...


_S = TypeVar("_S", bound=_Step)


def show_estimates(found: Explanation) -> None:
    """The tree of operators with expected rows."""
    print_table(
        [("operator", "left"), ("rows expected", "right")],
        [(_label(branch, step), step.rows) for branch, step in _lines(found.operators)],
    )
    estimate = found.plan.estimate
    typer.echo(
        f"\nexpected: {size(estimate.size_bytes)} read in {estimate.seconds:.3g} s"
        + (f", seen by role {found.plan.role}" if found.plan.role else "")
    )


def show_measured(found: Explanation, measured: Measurement) -> None:
    """DuckDB's operators as they ran, beside what was expected; then the totals."""
    if measured.root is not None:
        expected = expectations(found.operators, measured.root)
        print_table(
            [
                ("operator", "left"),
                ("rows", "right"),
                ("expected", "right"),
                ("cpu ms", "right"),
            ],
            [
                (
                    _label(branch, step),
                    step.rows,
                    expected.get(id(step)),
                    f"{1000 * step.seconds:.1f}",
                )
                for branch, step in _lines(measured.root)
            ],
        )
    else:
        typer.echo(measured.withheld)
    typer.echo(
        f"\n{measured.rows:,} rows in {measured.seconds:.3f} s ({found.plan.estimate.seconds:.3g} "
        f"expected), {measured.cpu_seconds:.3f} s of processor time, "
        f"{size(measured.read_bytes)} read, {size(measured.peak_bytes)} memory at most"
    )


def show_rules(rules: Sequence[Applied], sql: str | None) -> None:
    """What every rule did (*) or why it did nothing (-), and the statement that they made."""
    typer.echo()
    for rule in rules:
        typer.echo(printable(f"{'*' if rule.changed else '-'} {rule.rule}: {rule.why}"))
    if sql is not None:
        typer.echo(f"runs: {sql}")


def show_findings(findings: Sequence[Finding]) -> None:
    """What lint found, or nothing."""
    if findings:
        typer.echo()
    colours = {"warning": "yellow", "note": "cyan"}
    for one in findings:
        typer.secho(one.severity, fg=colours[one.severity], nl=False)
        typer.echo(printable(f" {one.place} {one.code}: {one.message}"))
        typer.echo(printable(f"  instead: {one.fix}"))


def show_layouts(layouts: Sequence[Suggestion]) -> None:
    """How its tables could be laid out for this query."""
    if layouts:
        typer.echo()
    for one in layouts:
        typer.secho("layout", fg="green", nl=False)
        typer.echo(printable(f" {one.what}: {one.how}"))
        typer.echo(printable(f"  write: {one.write}"))


def as_data(found: Explanation, measured: Measurement | None) -> dict[str, object]:
    """Everything as plain values for JSON."""
    data = found.as_data()
    if measured is not None:
        plain: dict[str, object] = asdict(measured)
        if measured.root is not None:
            plain["root"] = _with_expected(
                measured.root, expectations(found.operators, measured.root)
            )
        data["measured"] = plain
    return data


def expectations(operators: Operator, measured: Measured) -> dict[int, int | None]:
    """Expected rows by the identity of DuckDB's operators, where one does the same work.

    The same work is the same kind of step over the same tables. DuckDB filters while it scans, and
    orders joins by its own estimates, so not every operator has one.
    """
    waiting: defaultdict[tuple[str, tuple[str, ...]], list[int | None]] = defaultdict(list)
    for step in operators.walk():
        kind = "join" if step.kind.endswith("join") else step.kind
        waiting[kind, step.tables].append(step.rows)
    found: dict[int, int | None] = {}
    for _, step in _lines(measured):
        kind = _SAME.get(step.kind, step.kind)
        if step.kind.endswith("_join") or step.kind == "cross_product":
            kind = "join"
        elif step.kind == "table_scan":
            kind = "filter" if " where " in step.detail else "scan"
        queue = waiting[kind, step.tables]
        if queue:
            found[id(step)] = queue.pop(0)
    return found


def _with_expected(step: Measured, expected: Mapping[int, int | None]) -> dict[str, object]:
    plain: dict[str, object] = asdict(step)
    return plain | {
        "expected_rows": expected.get(id(step)),
        "children": [_with_expected(child, expected) for child in step.children],
    }


def _lines(root: _S, before: str = "", own: str = "") -> Iterator[tuple[str, _S]]:
    yield own, root
    for place, child in enumerate(root.children, 1):
        last = place == len(root.children)
        deeper = before + ("   " if last else "│  ")
        yield from _lines(child, deeper, before + ("└─ " if last else "├─ "))


def _label(branch: str, step: _Step) -> Text:
    from rich.text import Text

    label = Text(branch, style="dim")
    label.append(step.kind.replace("_", " "), style="bold")
    return label.append(f" {printable(step.detail)}".rstrip(), style="not dim")
