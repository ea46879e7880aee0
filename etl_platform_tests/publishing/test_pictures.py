"""Pictures of a profile fit into the event of a materialisation, however wide the table is."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree as ET

import dagster as dg
import numpy as np
import polars as pl
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.metastore import Metastore
from etl_platform.publishing import pictures
from etl_platform.publishing.budget import EVENT_BUDGET_BYTES, size_bytes
from etl_platform.publishing.publish import Publication, materialization_metadata
from etl_platform.quality import Contract

TABLE = TableName("shop", "orders")
IMAGE = re.compile(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([\w+/=]+)\)")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings=settings)


def orders(columns: int) -> pl.DataFrame:
    random = np.random.default_rng(columns)
    return pl.DataFrame({f"amount_{n}": random.normal(n, 1, 500) for n in range(columns)})


def metadata(lake: Lake, data: pl.DataFrame, metastore: Metastore | None = None):
    admission = admit(lake, TABLE, data, Contract(), metastore=metastore)
    publication = Publication(TABLE, Contract(), Mode.REPLACE)
    return materialization_metadata(lake, publication, admission, metastore=metastore)


def images(value: dg.MetadataValue) -> list[str]:
    """The elements, each of which has to be XML that shows something."""
    found = [base64.b64decode(data).decode() for data in IMAGE.findall(str(value.value))]
    for element in found:
        assert ET.fromstring(element).find(".//{http://www.w3.org/2000/svg}path") is not None
    return found


def test_each_column_has_its_picture_and_the_report_is_a_file(lake):
    found = metadata(lake, orders(19))
    assert len(images(found["profile_pictures"])) == 19
    assert size_bytes(found["profile_pictures"]) < 16_000
    below, _, page = str(found["profile_report"].value).partition("/shop/orders/_profile_pages/")
    assert below == lake.uri
    assert b"amount_18" in lake.root.store.read(f"shop/orders/_profile_pages/{page}")


def test_a_wide_table_shows_as_many_columns_as_fit_and_says_so(lake):
    found = metadata(lake, orders(200))
    assert sum(map(size_bytes, found.values())) < EVENT_BUDGET_BYTES
    assert "profile_pictures" in str(found["left_out"].value)
    if "profile_pictures" in found:
        shown = len(images(found["profile_pictures"]))
        assert f"{200 - shown} more in the report" in str(found["profile_pictures"].value)


def test_versions_are_drawn_as_a_trend(lake, settings):
    metastore = Metastore.open(settings.metastore_url)
    metadata(lake, orders(2), metastore)
    found = metadata(lake, orders(2).head(100), metastore)
    text = str(found["profile_pictures"].value)
    assert "rows by version" in text
    assert "quality score by version" in text
    assert "bytes by version" in text
    assert "seconds to publish by version" in text
    assert len(images(found["profile_pictures"])) == 6
    metastore.close()


def test_the_newest_pages_are_kept_and_vacuum_leaves_them(lake, monkeypatch):
    monkeypatch.setattr(pictures, "_KEPT", 3)
    for n in range(5):
        metadata(lake, orders(1).head(n + 1))
    lake.vacuum(TABLE, orphans_older_than_hours=0, history_older_than_hours=0)
    kept = lake.root.store.list("shop/orders/_profile_pages/")
    assert [file.key.rpartition("/")[2] for file in kept] == [f"{n:012}.html" for n in (2, 3, 4)]
