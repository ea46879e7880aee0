"""Pictures of a profile in an asset's metadata, and the page that they link to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.errors import EtlError
from etl_platform.core.sessions import session
from etl_platform.metastore.records import now
from etl_platform.publishing.budget import Entry, shorten_items

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.lakehouse.gate import Admission
    from etl_platform.metastore import Metastore
    from etl_platform.quality import Profile
    from etl_platform.quality.reports.null_map import NullMap
    from etl_platform.quality.reports.page import VersionPoint

_log = logging.getLogger(__name__)

PICTURES = "profile_pictures"
FOLDER = "_profile_pages"
_KEPT = 50
_CHEAP_VALUES = 5_000_000
"""Nulls are mapped where that takes a few hundredths of a second."""


def picture_entries(
    lake: Lake,
    metastore: Metastore | None,
    table: TableName,
    admission: Admission,
    partition: str | None = None,
) -> Mapping[str, Entry]:
    """Metadata of a materialisation: ``profile_pictures`` and ``profile_report``.

    The pictures are a trend of rows and score over versions and a strip for each column; what does
    not fit into the event is left out from the last column upward. The report is a file. Without
    the metastore there is no trend of the score. Pictures never fail a run.
    """
    from etl_platform.lakehouse.history import version_points

    profile, receipt = admission.audit.profile, admission.receipt
    if receipt.skipped or profile.level == "off":
        return {}
    try:
        history = version_points(lake, metastore, table, receipt.version_after)
        entries = {"profile_report": _report(lake, table, admission, history, partition)}
    except (EtlError, OSError) as error:
        _log.warning("%s: the pictures of the profile were not made: %s", table, error)
        return {}
    pictures = pictures_entry(profile, history)
    return entries if pictures is None else {**entries, PICTURES: pictures}


def pictures_entry(profile: Profile, history: Sequence[VersionPoint]) -> Entry | None:
    """The pictures as Markdown; None when nothing can be drawn."""
    from etl_platform.quality.reports.page import trends
    from etl_platform.quality.reports.shape import shape_of, strip
    from etl_platform.quality.reports.svg import plain

    value = dg.MetadataValue
    drawn = [
        (column, shape_of(profile, column), strip(profile, column)) for column in profile.columns
    ]
    lines = [
        f"| {plain(column.name)} | {picture.markdown()} | {plain(f'{found.low} to {found.high}')} |"
        for column, found, picture in drawn
        if found and picture
    ]
    over_time = "\n\n".join(
        f"{picture.title}\n\n{picture.markdown()}" for picture in trends(history)
    )
    if not lines and not over_time:
        return None

    def shown(columns: int) -> dg.MarkdownMetadataValue:
        heading = ["| column | distribution | bars |", "|---|---|---|"] if columns else []
        hidden = [f"\n{len(lines) - columns} more in the report"] if columns < len(lines) else []
        return value.md("\n".join([over_time, "", *heading, *lines[:columns], *hidden]).strip())

    return Entry(shown(len(lines)), shorten_items(len(lines), shown))


def _report(
    lake: Lake,
    table: TableName,
    admission: Admission,
    history: Sequence[VersionPoint],
    partition: str | None,
) -> Entry:
    """Write the page beside the table's data; the newest 50 are kept."""
    from etl_platform.quality.reports.page import Page, page_html

    receipt, moment = admission.receipt, admission.receipt.committed_at
    scope = f"version {receipt.version_after}"
    rows = {"append": "the rows that were added in ", "upsert": "the rows that came with "}
    scope = rows.get(str(receipt.mode), "") + scope
    page = Page(
        title=table.sql,
        scope=scope if partition is None else f"{scope}, partition {partition}",
        profile=admission.audit.profile,
        moment=moment or now(),
        history=history,
        nulls=_nulls(lake, admission),
    )
    store, folder = lake.root.store, f"{table.path}/{FOLDER}/"
    key = f"{folder}{receipt.version_after:012d}.html"
    store.put(key, page_html(page).encode())
    store.delete([one.key for one in store.list(folder)][:-_KEPT])
    return Entry(dg.MetadataValue.path(f"{store.uri}/{key}"))


def _nulls(lake: Lake, admission: Admission) -> NullMap | None:
    from etl_platform.quality.reports.null_map import null_map

    profile, staged = admission.audit.profile, admission.staged
    columns = [column.name for column in profile.columns if column.nulls]
    if not columns or staged.rows * len(columns) > _CHEAP_VALUES:
        return None
    with session(lake.settings) as con:
        return null_map(con, staged, columns)
