"""The page and the pictures of a profile: complete, harmless, small."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from etl_platform.quality.comparison import compare
from etl_platform.quality.profiling import profile_staged
from etl_platform.quality.reports import svg
from etl_platform.quality.reports.findings import findings
from etl_platform.quality.reports.null_map import null_map
from etl_platform.quality.reports.page import OutlierTable, Page, VersionPoint, page_html
from etl_platform.quality.reports.shape import shape_of, strip

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script><img src=http://evil/ onerror=x>"
ROWS = 2_000


def table() -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {
            "n": random.normal(0, 1, ROWS),
            "m": random.integers(1, 13, ROWS),
            HOSTILE: [HOSTILE, "ok"] * (ROWS // 2),
            "email": [f"ada{i % 99}@example.org" for i in range(ROWS)],
            "late": [None] * (ROWS // 2) + list(range(ROWS // 2)),
            "far": [1e6 if i == 7 else i % 50 for i in range(ROWS)],
            "day": pl.Series(range(ROWS)).cast(pl.Date).to_arrow(),
            "parts": [[1, 2], None] * (ROWS // 2),
            "one": ["x"] * ROWS,
        }
    )


@pytest.fixture
def made(con, stage):
    def profiled(data: pa.Table, level: str = "full"):
        staged = stage(data, files=3)
        profile = profile_staged(con, staged, level)
        return profile, null_map(con, staged, [c.name for c in profile.columns if c.nulls])

    return profiled


@pytest.mark.parametrize("level", ["full", "basic", "off"])
def test_a_page_holds_nothing_that_runs_or_loads_and_no_personal_data(made, level):
    profile, nulls = made(table(), level)
    other, _ = made(table().slice(100), level)
    page = page_html(
        Page(
            title=HOSTILE,
            scope=HOSTILE,
            profile=profile,
            moment=NOW,
            history=[VersionPoint(0, 10, 90.0), VersionPoint(1, 20, None), VersionPoint(2, 5, 95)],
            nulls=nulls,
            comparison=compare(other, profile),
            compared_with=HOSTILE,
            outliers=OutlierTable("iqr", 1, 5, ({HOSTILE: HOSTILE},)),
            notes=[HOSTILE],
        )
    )
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Reader().feed(page)
    assert not {tag for tag, _ in tags} & {"script", "img", "link", "iframe", "object", "image"}
    for _, attributes in tags:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "default-src 'none'" in page
    assert "&lt;script&gt;" in page
    if level != "off":
        assert "ada1@" not in page
        assert "a***@***.org" in page


def test_every_drawing_is_wellformed_whatever_it_is_called():
    drawings = [
        svg.bars([0, 1, 5], 120, 22, HOSTILE),
        svg.bars([], 120, 22, "nothing"),
        svg.histogram([1, 2], HOSTILE, HOSTILE, HOSTILE),
        svg.trend([(HOSTILE, 1.0), ("b", 1.0)], HOSTILE),
        svg.trend([], "nothing"),
        svg.null_map([[0, 0.001, 1], [0, 0, 0]], HOSTILE),
        svg.share_bar(0.3, HOSTILE),
        svg.grid([HOSTILE, "b"], [[1.0], [None, 1.0]], HOSTILE),
    ]
    for drawing in drawings:
        root = ET.fromstring(drawing.inline())
        assert {one.tag for one in root.iter()} <= {"svg", "title", "path", "rect", "text"}
        assert re.fullmatch(
            r"!\[[\w .,:%≤≥-]*\]\(data:image/svg\+xml;base64,[\w+/=]+\)", drawing.markdown()
        )


def test_a_strip_of_twenty_bars_is_smaller_than_a_kilobyte():
    assert len(svg.bars(range(1, 21), 120, 22, "amount: 1 to 20").markdown()) < 700


def test_bars_are_of_the_middle_where_tails_would_flatten_them(made):
    profile, _ = made(table())
    far = shape_of(profile, profile.column("far"))
    assert far is not None
    assert (far.low, far.high) == ("0", "≥ 49")
    assert sum(far.rows) == ROWS
    assert min(far.rows) > 0
    months = shape_of(profile, profile.column("m"))
    assert months is not None
    assert (len(months.rows), months.low, months.high) == (12, "1", "12")
    assert strip(profile, profile.column("one")) is None


def test_nulls_are_mapped_to_where_they_are(con, stage):
    staged = stage(table(), files=3)
    found = null_map(con, staged, ["late", "parts"], blocks=4)
    assert found.columns == ("late", "parts")
    assert found.shares == ((1.0, 1.0, 0.0, 0.0), (0.5, 0.5, 0.5, 0.5))
    assert null_map(con, stage(table().slice(0, 0)), ["late"]).columns == ()


def test_what_stands_out_is_said(made):
    said = findings(made(table())[0])
    assert "late is null in 50.0 % of the rows" in said
    assert "one has one value only: x" in said
    assert "email looks like email addresses: its values are masked here" in said
    assert findings(made(table().slice(0, 0))[0]) == ["the table has no rows"]
