"""What a materialisation tells about the engine that read its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.publishing.budget import Entry, shorten_text

if TYPE_CHECKING:
    from etl_platform.selection import Attempt, Decision


def engine_metadata(attempt: Attempt) -> dict[str, Entry]:
    """The engine, why it was chosen, what was expected of it, and what it did.

    Speeds are rows per second from the start of reading until the last row is staged; memory is the
    growth of the process meanwhile, in bytes.
    """
    value = dg.MetadataValue
    decision, measured = attempt.decision, attempt.measurement
    entries = {
        "engine": Entry(value.text(decision.engine)),
        "engine_reason": Entry(
            value.text(decision.reason), shorten_text(decision.reason, value.text)
        ),
    }
    if decision.fell_back_from is not None:
        entries["engine_fell_back_from"] = Entry(value.text(decision.fell_back_from))
    if decision.predicted_s is not None:
        entries["engine_seconds_expected"] = Entry(value.float(round(decision.predicted_s, 3)))
    if measured is not None:
        entries["engine_seconds"] = Entry(value.float(round(measured.seconds, 3)))
        entries["engine_rows_per_s"] = Entry(
            value.int(round(measured.rows / max(measured.seconds, 1e-6)))
        )
        if measured.peak_bytes is not None:
            entries["engine_peak_bytes"] = Entry(value.int(measured.peak_bytes))
    table = _table(decision)
    entries["engine_candidates"] = Entry(value.md(table), shorten_text(table, value.md))
    return entries


def _table(decision: Decision) -> str:
    lines = [
        "| engine | rows/s expected | known from | rejected, because it |",
        "|---|--:|---|---|",
    ]
    lines += [
        f"| {one.engine} | {one.rows_per_s:,.0f} | {one.basis} | |" for one in decision.candidates
    ]
    lines += [
        f"| {one.engine} | | | {one.reason.replace('|', chr(92) + '|')} |"
        for one in decision.rejected
    ]
    return "\n".join(lines)
