"""Precision and recall of anomaly detection, per family of labelled series.

Seeds from 1,000 on are used here only: the method was tuned on others.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial

from rich.console import Console
from rich.table import Table

from etl_platform.quality.anomalies.config import Judging, Sensitivity
from etl_platform_tests.quality.anomalies.labelled_series import FAMILIES
from etl_platform_tests.quality.anomalies.scoring import Score, score_family

HELD_OUT = 1_000
SENSITIVITIES: tuple[Sensitivity, ...] = ("low", "medium", "high")


def main(runs: int) -> None:
    """Print one line per family and sensitivity; ``runs`` seeds of each."""
    table = Table(title=f"Anomalies: {runs} held-out seeds per family", title_justify="left")
    for heading in ("family", "events", "judged"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for sensitivity in SENSITIVITIES:
        table.add_column(f"{sensitivity}:\nprecision", justify="right")
        table.add_column("\nrecall", justify="right")
        table.add_column("\nfalse %", justify="right")
    table.add_column("early\nalerts", justify="right")
    totals = [Score() for _ in SENSITIVITIES]
    with ProcessPoolExecutor(2) as pool:
        found = [
            list(pool.map(partial(_score, runs, sensitivity), FAMILIES))
            for sensitivity in SENSITIVITIES
        ]
    for n, name in enumerate(FAMILIES):
        scores = [of[n] for of in found]
        totals = [total + score for total, score in zip(totals, scores, strict=True)]
        table.add_row(*_row(name, scores))
    table.add_section()
    table.add_row(*_row("all", totals))
    Console(width=160).print(table)


def _score(runs: int, sensitivity: Sensitivity, name: str) -> Score:
    return score_family(name, range(HELD_OUT, HELD_OUT + runs), Judging(sensitivity))


def _row(name: str, scores: list[Score]) -> list[str]:
    cells = [name, f"{scores[0].events:,}", f"{scores[0].judged:,}"]
    for score in scores:
        cells += [
            f"{score.precision:.2f}",
            f"{score.recall:.2f}",
            f"{100 * score.false_alarms:.2f}",
        ]
    return [*cells, str(sum(score.early for score in scores))]
