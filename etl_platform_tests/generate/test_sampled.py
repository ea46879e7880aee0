"""One call profiles a sample of files, a lake's table or a database's."""

from __future__ import annotations

from importlib.resources import files

import pyarrow.parquet as pq
import pytest

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.generate.sampled import profile_source
from etl_platform.lakehouse import Lake, Mode
from etl_platform.quality.sampling import SampledProfile, SampleSpec

FLIGHTS = str(files("etl_platform.demo") / "data" / "flights.parquet")
ROWS = 336_776


@pytest.mark.parametrize(
    "text", ["random:1000", "reservoir:1000", "systematic:1000", "stratified:1000:origin"]
)
def test_files_and_tables_of_the_lake_are_sampled_by_one_call(
    settings: Settings, text: str
) -> None:
    lake, name = Lake(settings=settings), TableName("nyc", "flights")
    lake.publish(lake.stage(name, pq.read_table(FLIGHTS)), Mode.REPLACE)
    spec = SampleSpec.parse(text, 5)
    found = profile_source(FLIGHTS, sample=spec)
    assert found.rows.value == ROWS
    assert SampledProfile.from_json(found.to_json()) == found
    of_lake = profile_source(lake, "nyc.flights", spec)
    assert of_lake.sampled_rows == found.sampled_rows
    assert of_lake.rows.value == ROWS
    assert of_lake == profile_source(lake, "nyc.flights", spec)


def test_few_row_groups_claim_no_interval_and_say_why() -> None:
    found = profile_source(FLIGHTS, sample=SampleSpec.parse("blocks:30%"))
    mean = found.column("dep_delay").mean
    assert mean is not None
    assert (mean.low, mean.confidence) == (None, None)
    assert "too few" in (mean.note or "")


def test_a_table_that_does_not_exist_is_named(tmp_path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "x.db") as session:
        session.execute("CREATE TABLE orders (id integer)")
    with pytest.raises(UnknownName, match="did you mean 'orders'"):
        profile_source(f"sqlite:///{tmp_path / 'x.db'}", "order")
