"""The profile as a page that needs no network: pictures, numbers, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.quality.profile import ColumnProfile, Profile
from etl_platform.quality.reports import svg
from etl_platform.quality.reports.findings import findings
from etl_platform.quality.reports.null_map import NullMap
from etl_platform.quality.reports.numbers import percent, shown, size
from etl_platform.quality.reports.shape import drawing, strip

if TYPE_CHECKING:
    import jinja2

    from etl_platform.quality.comparison import Comparison
    from etl_platform.quality.values import JsonValue

_LEAST_POINTS = 2


@dataclass(frozen=True, slots=True)
class VersionPoint:
    """A version of a table: its rows, and the score of the rows that it brought (0 to 100).

    ``size_bytes`` is what all its files take, ``seconds`` how long publishing it took; None where
    that is not known.
    """

    version: int
    rows: int
    score: float | None = None
    size_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class OutlierTable:
    """Outlying rows as they may be shown, personal data masked; ``found`` of ``checked`` rows."""

    method: str
    found: int
    checked: int
    rows: tuple[Mapping[str, JsonValue], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a profile's page shows.

    Attributes:
        title: the table, or what else was profiled.
        scope: which part of it, for example ``version 3``.
        history: versions, oldest first; a trend is drawn of two or more.
        notes: what a reader has to know of the numbers, for example that rows were sampled.
    """

    title: str
    scope: str
    profile: Profile
    moment: datetime
    history: Sequence[VersionPoint] = ()
    nulls: NullMap | None = None
    comparison: Comparison | None = None
    compared_with: str = ""
    outliers: OutlierTable | None = None
    notes: Sequence[str] = ()


def page_html(page: Page) -> str:
    """The page: a style sheet and drawings inside, no script; its policy forbids loading anything.

    Everything that comes from data is escaped. It follows the reader's light or dark theme.
    """
    profile = page.profile
    return _template().render(
        page=page,
        profile=profile,
        columns=profile.columns,
        findings=findings(profile),
        trends=trends(page.history),
        null_map=_null_map(page.nulls),
        correlations=_correlations(profile),
        null_share=sum(c.nulls for c in profile.columns) / cells
        if (cells := _cells(profile))
        else 0,
        strip=lambda column: _inline(strip(profile, column)),
        drawing=lambda column: _inline(drawing(profile, column)),
        share=_share,
        facts=lambda column: _facts(profile, column),
        shown=shown,
        percent=percent,
        size=size,
    )


def trends(history: Sequence[VersionPoint]) -> list[svg.Picture]:
    """Rows, and score, bytes and duration where they are known, over versions."""
    series = {
        "rows by version": [(p.version, p.rows) for p in history],
        "quality score by version": [(p.version, p.score) for p in history],
        "bytes by version": [(p.version, p.size_bytes) for p in history],
        "seconds to publish by version": [(p.version, p.seconds) for p in history],
    }
    found: list[svg.Picture] = []
    for title, points in series.items():
        known = [(f"v{version}", float(value)) for version, value in points if value is not None]
        if len(known) >= _LEAST_POINTS:
            shown = ",.0f" if title.startswith(("rows", "bytes")) else ".4g"
            found.append(svg.trend(known, title, shown=shown))
    return found


def _cells(profile: Profile) -> int:
    return profile.rows * len(profile.columns)


def _inline(picture: svg.Picture | None) -> object:
    from markupsafe import Markup

    # The texts inside are escaped where the picture is drawn.
    return "" if picture is None else Markup(picture.inline())


def _share(part: int, whole: int, title: str, *, bad: bool = False) -> object:
    return _inline(svg.share_bar(part / whole if whole else 0.0, title, bad=bad))


def _null_map(nulls: NullMap | None) -> object:
    if nulls is None or not nulls.columns:
        return ""
    return _inline(svg.null_map(nulls.shares, "shares of nulls by column and block of rows"))


def _correlations(profile: Profile) -> object:
    pairs = {(c.left, c.right): c.r for c in profile.correlations}
    names = [c.name for c in profile.columns if any(c.name in pair for pair in pairs)]
    if len(names) < 3:
        return ""
    values = [
        [pairs.get((a, b), pairs.get((b, a))) if b != a else 1.0 for b in names[: n + 1]]
        for n, a in enumerate(names)
    ]
    return _inline(svg.grid(names, values, "correlations of numeric columns"))


def _facts(profile: Profile, column: ColumnProfile) -> list[tuple[str, str]]:
    """What is known of a column, as name and text."""
    present = profile.rows - column.nulls
    nulls = f"{column.nulls:,} ({percent(column.nulls / profile.rows)})" if column.nulls else "none"
    found = [("nulls", nulls)]
    if column.distinct is not None:
        sure = "" if column.distinct_exact else f" (± {percent(column.distinct_error)})"
        found.append(
            ("distinct", f"{'' if column.distinct_exact else '~'}{column.distinct:,}{sure}")
        )
    if column.min is not None:
        end = "" if column.bounds_exact else " (shortened)"
        found += [("smallest", shown(column.min) + end), ("largest", shown(column.max) + end)]
    for name, value in (
        ("mean", column.mean),
        ("standard deviation", column.std),
        ("skewness", column.skewness),
        ("excess kurtosis", column.kurtosis),
    ):
        if value is not None:
            found.append((name, shown(value)))
    for name, count in (
        ("zero", column.zero),
        ("negative", column.negative),
        ("NaN", column.nan),
        ("infinite", column.infinite),
    ):
        if count and present:
            found.append((name, f"{count:,} ({percent(count / present)})"))
    text, nested, time = column.text, column.nested, column.time
    if text and text.max_length is not None:
        found.append(
            (
                "length",
                f"{text.min_length:,} to {text.max_length:,}, {shown(text.mean_length)} on average",
            )
        )
    if time:
        found.append(("days", f"{time.days:,} with rows, {time.missing_days:,} without"))
    if nested and nested.max_length is not None:
        found.append(
            ("elements", f"{nested.min_length} to {nested.max_length}, {nested.empty:,} empty")
        )
    return found


@cache
def _template() -> jinja2.Template:
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("profile.html.j2")
