"""An inspection as a page that needs no network; everything that comes from data is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.generate.objects.component import component_yaml
from etl_platform.quality.reports.numbers import percent, size
from etl_platform.quality.reports.shape import strip
from etl_platform.quality.reports.svg import Picture, histogram, share_bar

if TYPE_CHECKING:
    import jinja2

    from etl_platform.generate.objects.model import ObjectsInspection, Partition, TableCandidate


def page_html(found: ObjectsInspection) -> str:
    """The page: a style sheet inside, no script; its policy forbids loading anything."""
    return _template().render(
        found=found,
        size=size,
        percent=percent,
        moment=datetime.now(UTC),
        largest=max((one.size_bytes for one in found.tables), default=0),
        share=lambda part, whole, title, bad=False: _inline(
            share_bar(part / whole if whole else 0.0, title, bad=bad)
        ),
        strips=_strips,
        along=lambda one: _inline(_along(one)),
        yaml=component_yaml(found),
    )


def _strips(table: TableCandidate) -> Mapping[str, object]:
    """The distribution of each column that has one."""
    if table.profile is None:
        return {}
    profile = table.profile
    return {one.name: _inline(strip(profile, one)) for one in profile.columns}


def _along(one: Partition) -> Picture | None:
    if not any(one.sizes):
        return None
    return histogram(one.sizes, one.low, one.high, f"bytes by {one.name}", label=size)


def _inline(picture: Picture | None) -> object:
    from markupsafe import Markup

    # The texts inside are escaped where the picture is drawn.
    return "" if picture is None else Markup(picture.inline())


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
